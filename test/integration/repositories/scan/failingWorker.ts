import { serveSearch } from '../../../../src/engine/repositories/scan/serveSearch.ts'

/** A library with the faults that one can have, chosen by the name of the file. Its messages quote what it read. */
await serveSearch(async (text, file) => {
  if (file.endsWith('throws.txt')) throw new TypeError(`cannot read "${text}"`)
  if (file.endsWith('ends.txt')) process.exit(3)
  if (file.endsWith('throws-later.txt')) {
    queueMicrotask(() => {
      throw new Error(text)
    })
    await new Promise(() => undefined)
  }
  if (file.endsWith('eats.txt')) {
    const eaten: number[][] = []
    for (;;) eaten.push(new Array(1_000_000).fill(text.length + 0.5))
  }
  // The usual way to stand still: an expression that needs a time that doubles with each character.
  if (file.endsWith('stands.txt')) /^(?:a+)+$/.test(`${'a'.repeat(60)}b`)
  console.error(text)
  return []
})
