import { rename, writeFile } from 'node:fs/promises'

/** Replaces a file as a whole: a reader sees the old content or the new one. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.new`
  await writeFile(temporary, text, { mode })
  await rename(temporary, path)
}
