/** What a file of Git LFS holds in a commit, in the place of its content. */
export interface LargeFilePointer {
  readonly sha256: string
  readonly sizeBytes: number
}

const pointerPattern =
  /^version https:\/\/(?:git-lfs\.github\.com|hawser\.github\.com)\/spec\/v\d+\n(?:[a-z0-9.-]+ .*\n)*?oid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n?$/

/** Null: a file like any other. */
export function parsePointer(text: string): LargeFilePointer | null {
  const match = pointerPattern.exec(text.replaceAll('\r\n', '\n'))
  return match === null ? null : { sha256: match[1] ?? '', sizeBytes: Number(match[2]) }
}
