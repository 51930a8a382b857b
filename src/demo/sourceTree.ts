import { createHash } from 'node:crypto'
import { access, chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

interface SourceFile {
  readonly path: string
  readonly content: string | Uint8Array
  readonly mode?: number
}

/** Bytes that do not compress and are the same on every machine. */
function noise(seed: string, sizeBytes: number): Uint8Array {
  const blocks: Buffer[] = []
  for (let index = 0; index * 32 < sizeBytes; index += 1)
    blocks.push(createHash('sha256').update(`${seed}:${index}`).digest())
  return Buffer.concat(blocks).subarray(0, sizeBytes)
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1)

const siteFiles = (): readonly SourceFile[] =>
  range(60).map((number) => ({
    path: `sites/site-${String(number).padStart(3, '0')}/site.conf`,
    content:
      `# site ${number}\nserver_name site-${number}.example.net;\nroot /srv/www/site-${number};\naccess_log off;\n`.repeat(
        4,
      ),
  }))

const pageFiles = (): readonly SourceFile[] =>
  range(120).map((number) => ({
    path: `www/section-${number % 8}/topic-${number % 24}/page-${number}.html`,
    content: `<!doctype html>\n<title>Page ${number}</title>\n${`<p>Paragraph of page ${number}.</p>\n`.repeat(40 + number)}`,
  }))

const assetFiles = (): readonly SourceFile[] =>
  range(40).map((number) => ({
    path: `www/assets/image-${number}.bin`,
    content: noise(`asset ${number}`, 8_192 + number * 512),
  }))

const scriptFiles = (): readonly SourceFile[] =>
  range(20).map((number) => ({
    path: `bin/task-${number}.sh`,
    content: `#!/bin/sh\n# task ${number}\nexec true\n`,
    mode: 0o755,
  }))

/** Names that break careless quoting. Everybody's disk has some of them. */
const oddNames = [
  'two words.txt',
  ' leading and trailing space ',
  '-rf',
  '--delete',
  "it's quoted.txt",
  'say "hello".txt',
  '$HOME.txt',
  '$(reboot).txt',
  '`id`.txt',
  'semi;colon & ampersand.txt',
  'star * and question?.txt',
  '[brackets] {braces}.txt',
  'back\\slash.txt',
  'tab\tinside.txt',
  'line\nbreak.txt',
  '#hash.txt',
  '~tilde',
  'per%cent.txt',
  'comma,name.txt',
  'colon:name.txt',
  'näme-ünïcödé.txt',
  '日本語.txt',
  'rocket-🚀.txt',
  '.hidden',
  'x'.repeat(200),
]

const oddFiles = (): readonly SourceFile[] =>
  oddNames.map((name, index) => ({ path: `odd names/${name}`, content: `odd ${index}\n` }))

const singleFiles = (): readonly SourceFile[] => [
  { path: 'README.md', content: '# Edge configuration\n\nDelivered to every node of the demo fleet.\n' },
  { path: 'empty.conf', content: '' },
  { path: 'private/api.token.example', content: 'not a secret\n', mode: 0o600 },
  { path: 'a/b/c/d/e/f/g/h/deep.txt', content: 'eight levels down\n' },
  { path: 'data/geo.bin', content: noise('geo', 1_500_000) },
]

async function writeSourceFile(root: string, file: SourceFile): Promise<void> {
  const path = join(root, file.path)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, file.content)
  if (file.mode !== undefined) await chmod(path, file.mode)
}

/** Creates the tree that the seeded plan delivers: some 270 files, 3 MB. What exists already is left alone. */
export async function ensureSourceTree(directory: string): Promise<void> {
  if (
    await access(directory).then(
      () => true,
      () => false,
    )
  )
    return
  const temporary = `${directory}.new`
  await rm(temporary, { recursive: true, force: true })
  const files = [...singleFiles(), ...siteFiles(), ...pageFiles(), ...assetFiles(), ...scriptFiles(), ...oddFiles()]
  for (const file of files) await writeSourceFile(temporary, file)
  await mkdir(join(temporary, 'empty directory'))
  await symlink('../README.md', join(temporary, 'www', 'readme-link'))
  await rename(temporary, directory)
}
