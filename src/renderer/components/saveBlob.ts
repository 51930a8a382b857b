/** Hands something over as a file; the browser or the desktop shell asks where to. */
export function saveBlob(blob: Blob, fileName: string): void {
  const anchor = document.createElement('a')
  anchor.href = URL.createObjectURL(blob)
  anchor.download = fileName.replace(/[^\w.-]+/g, '_')
  anchor.click()
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000)
}
