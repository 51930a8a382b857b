import { resolve } from 'node:path'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'electron-vite'

const source = (path: string): string => resolve(import.meta.dirname, 'src', path)

/**
 * `out/main` serves three hosts: Electron (`index`, `engineProcess`) and plain Node (`cli`, which is the daemon too). The preload is
 * one CommonJS file, since a sandboxed page can load nothing else. Runtime dependencies stay outside the bundles.
 */
export default defineConfig({
  main: {
    build: {
      sourcemap: true,
      rolldownOptions: {
        input: {
          index: source('main/index.ts'),
          engineProcess: source('main/engineProcess.ts'),
          cli: source('cli/main.ts'),
          slowLink: source('demo/slowLink.ts'),
          traefik: source('demo/traefik.ts'),
          scanWorker: source('engine/repositories/scan/scanWorker.ts'),
        },
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
      },
    },
  },
  preload: {
    build: {
      externalizeDeps: false,
      rolldownOptions: {
        input: source('preload/index.ts'),
        output: { format: 'cjs', entryFileNames: 'index.cjs' },
      },
    },
  },
  renderer: {
    root: source('renderer'),
    base: './',
    plugins: [react(), tailwindcss()],
    build: {
      // Data URIs would need a wider content security policy than 'self'.
      assetsInlineLimit: 0,
      rolldownOptions: { input: source('renderer/index.html') },
    },
  },
})
