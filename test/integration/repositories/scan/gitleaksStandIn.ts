import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** How the stand-in behaves; the defaults are those of a program that is well. */
export interface StandInBehaviour {
  /** `dir`: 8.19 and later. `detect`: before. */
  readonly generation: 'dir' | 'detect'
  /** Ends with 1 and quotes what it read, as a program that fails may. */
  readonly fails?: boolean
  /** Finds something, and writes this instead of a report. */
  readonly report?: string
  /** Knows no flag by which its comments are not obeyed. */
  readonly withoutFlags?: boolean
  readonly hangs?: boolean
}

/**
 * A program named gitleaks that speaks its command lines and its report, since Debian has no package of the real one. It obeys
 * comments, `.gitleaksignore` and `.gitleaks.toml` in the searched directory as that does, finds tokens of GitHub only, and
 * keeps values out of its report only when it is told to.
 */
const program = String.raw`
const { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const behaviour = JSON.parse(readFileSync(join(__dirname, 'behaviour.json'), 'utf8'))
const args = process.argv.slice(2)
appendFileSync(join(__dirname, 'calls'), JSON.stringify({ args, cwd: process.cwd(), env: process.env }) + '\n')
const modern = behaviour.generation === 'dir'
const flags = behaviour.withoutFlags ? '' : '  --ignore-gitleaks-allow  x\n  -i, --gitleaks-ignore-path string  x\n'
if (args[0] === 'version') {
  console.log(modern ? '8.28.0' : 'v8.16.1')
  process.exit(0)
}
if (args.includes('--help')) {
  const commands = modern ? '  dir         scan directories\n  git         scan git' : '  detect      detect secrets\n  protect     protect'
  console.log('Available Commands:\n' + commands + '\n\nFlags:\n  -c, --config string\n' + flags)
  process.exit(0)
}
const known = modern ? args[0] === 'dir' && args[1] === '.' : args.slice(0, 4).join(' ') === 'detect --no-git --source .'
if (!known || (behaviour.withoutFlags && args.some((arg) => /ignore/.test(arg)))) process.exit(126)
const option = (name) => args.find((arg) => arg.startsWith('--' + name + '='))?.slice(name.length + 3)
const texts = readdirSync('.', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .map((file) => [file, readFileSync(file, 'utf8')])
if (behaviour.hangs) setInterval(() => undefined, 1000)
else main()
function main() {
  if (behaviour.fails) {
    console.error('cannot read ' + JSON.stringify(texts))
    console.log(JSON.stringify(texts))
    process.exit(1)
  }
  if (behaviour.report !== undefined) {
    writeFileSync(option('report-path'), behaviour.report)
    process.exit(Number(option('exit-code')))
  }
  const config = option('config') ?? (existsSync('.gitleaks.toml') ? '.gitleaks.toml' : null)
  const ignoring = ['.gitleaksignore', join(option('gitleaks-ignore-path') ?? '.', '.gitleaksignore')]
  const ignored = ignoring.flatMap((file) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []))
  const pattern = config === null ? /ghp_[A-Za-z0-9]{36}/g : new RegExp(readFileSync(config, 'utf8').trim(), 'g')
  const found = texts.flatMap(([file, text]) =>
    text.split('\n').flatMap((line, index) =>
      [...line.matchAll(pattern)].flatMap((match) => {
        if (/gitleaks:allow/.test(line) && !args.includes('--ignore-gitleaks-allow')) return []
        if (ignored.includes(file + ':github-pat:' + (index + 1))) return []
        const Secret = args.includes('--redact') ? 'REDACTED' : match[0]
        return [{
          Description: 'Uncovered a GitHub Personal Access Token.', RuleID: 'github-pat', File: file, SymlinkFile: '',
          StartLine: index + 1, EndLine: index + 1, StartColumn: match.index + 1, EndColumn: match.index + match[0].length,
          Match: Secret, Secret, Commit: '', Entropy: 4.5, Author: '', Email: '', Date: '', Message: '', Tags: [],
          Fingerprint: file + ':github-pat:' + (index + 1),
        }]
      }),
    ),
  )
  writeFileSync(option('report-path'), JSON.stringify(found))
  process.exit(found.length > 0 ? Number(option('exit-code')) : 0)
}
`

export interface StandInCall {
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** @returns the calls so far */
export async function installGitleaks(
  directory: string,
  behaviour: StandInBehaviour,
): Promise<() => Promise<StandInCall[]>> {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'behaviour.json'), JSON.stringify(behaviour))
  await writeFile(join(directory, 'program.cjs'), program)
  const start = `#!/bin/sh\nexec '${process.execPath}' '${join(directory, 'program.cjs')}' "$@"\n`
  await writeFile(join(directory, 'gitleaks'), start, { mode: 0o755 })
  return async () =>
    (await readFile(join(directory, 'calls'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as StandInCall)
}
