import type { ScanReport } from '../../shared/model/repository.ts'

type Skipped = ScanReport['skipped'][number]

const mebibyte = 1024 * 1024

/** Larger texts are searched in pieces, for what says by itself what it is. */
export const largestTextBytes = 5 * mebibyte
/** Larger files are not searched. */
export const largestSearchedBytes = 200 * mebibyte

const inPart = 'searched for keys and tokens only'

/** Why a file was not looked into, or only in part. */
export const skipReasons = {
  binary: `binary: ${inPart}`,
  largeText: `larger than ${largestTextBytes / mebibyte} MiB: ${inPart}`,
  tooLarge: `larger than ${largestSearchedBytes / mebibyte} MiB`,
  symbolicLink: 'a symbolic link, not followed',
  belowSymbolicLink: 'below a symbolic link, not followed',
  notRegular: 'not a regular file',
  notInTree: 'not in the tree',
  gitData: 'the data of git itself',
} as const

/** It has content, which goes over, and nobody has searched any of it. */
export const isUnsearched = ({ reason }: Skipped): boolean => reason === skipReasons.tooLarge

/** Those first that nobody searched: what a list has no room for is then not one of them. */
export function unsearchedFirst(skipped: readonly Skipped[]): Skipped[] {
  return [...skipped.filter(isUnsearched), ...skipped.filter((each) => !isUnsearched(each))]
}

/** Of how many files a report says nothing; null when there are none. */
export function unsearchedFiles(
  skipped: readonly Skipped[],
): { readonly files: readonly Skipped[]; words: string } | null {
  const files = skipped.filter(isUnsearched)
  const [first] = files
  if (first === undefined) return null
  const count = files.length === 1 ? '1 file' : `${files.length} files`
  return {
    files,
    words: `${count} not searched (${files.length === 1 ? '' : 'the first: '}${first.file}, ${first.reason})`,
  }
}
