import { readFileSync, statSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/* Takes the place of the electron executable: `node e2e/standin/run.ts <directory of package.json> [arguments]`. */

const standin = new URL('./electron.ts', import.meta.url).href
registerHooks({
  resolve: (specifier, context, next) =>
    /^electron(\/main|\/common)?$/.test(specifier)
      ? { url: standin, format: 'module', shortCircuit: true }
      : next(specifier, context),
})

const root = join(import.meta.dirname, '..', '..')
const { version } = JSON.parse(readFileSync(join(root, 'node_modules/electron/package.json'), 'utf8')) as {
  version: string
}
Object.defineProperty(process.versions, 'electron', { value: version, enumerable: true })
Object.defineProperty(process.versions, 'chrome', { value: 'stand-in', enumerable: true })
Object.defineProperty(process, 'type', { value: 'browser' })
Object.defineProperty(process, 'resourcesPath', { value: root })
Object.defineProperty(process, 'defaultApp', { value: true })

const target = resolve(process.argv[2] ?? '.')
const directory = statSync(target).isDirectory() ? target : root
process.env.STANDIN_APP_DIRECTORY = directory
const { main } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { main: string }
await import(pathToFileURL(directory === target ? join(directory, main) : target).href)
