import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { defineConfig, type Plugin } from 'vite'

const root = import.meta.dirname

/** The texts of the licenses of everything that is inside the bundle, in one file beside it. */
function licenses(): Plugin {
  return {
    name: 'lockstep-licenses',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? Object.keys(file.modules) : []))
      const packages = new Set(modules.map(packageOf).filter((folder) => folder !== null))
      const texts = [...packages].sort().map(licenseOf)
      this.emitFile({ type: 'asset', fileName: 'lockstep-agent.LICENSES.txt', source: `${texts.join('\n\n')}\n` })
    },
  }
}

/** Folder of the package a module belongs to; null for our own. */
function packageOf(module: string): string | null {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(module.replace(/^\0/, ''))?.[0] ?? null
}

function licenseOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((entry) => /^(?:licen[cs]e|copying)(?:\.|$)/i.test(entry))
  const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim()
  const notice = existsSync(join(folder, 'NOTICE')) ? readFileSync(join(folder, 'NOTICE'), 'utf8').trim() : ''
  const line = '='.repeat(80)
  return [line, `${name} ${version} (${license ?? 'no license named'})`, line, text, notice]
    .filter((part) => part !== '')
    .join('\n')
}

/** `lockstep-agent`: one file with everything in it, for hosts that have a Node and nothing else of ours. */
export default defineConfig({
  root,
  logLevel: 'warn',
  plugins: [licenses()],
  ssr: { noExternal: true, target: 'node' },
  build: {
    ssr: resolve(root, 'src/agent/main.ts'),
    outDir: resolve(root, 'out/agent'),
    emptyOutDir: true,
    // The oldest Node the agent runs on has to read the whole file before it can say that it is too old.
    target: 'node20',
    minify: false,
    rolldownOptions: {
      output: { format: 'es', entryFileNames: 'lockstep-agent.mjs', codeSplitting: false },
    },
  },
})
