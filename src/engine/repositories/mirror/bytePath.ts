const ascii = /^[\u0000-\u007f]*$/

/**
 * A path below a directory of ours, in the form that the file system calls take.
 * @param path bytes, one character for each
 */
export function bytePath(directory: string, path: string): string | Buffer {
  if (path === '') return directory
  if (ascii.test(path)) return `${directory}/${path}`
  return Buffer.concat([Buffer.from(`${directory}/`, 'utf8'), Buffer.from(path, 'latin1')])
}

/** The same as text, where that is the same. */
export const plainPath = (path: string): string | null => (ascii.test(path) ? path : null)
