import { existsSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { inRoot, requireNode, run, say } from './project.mjs'

const PROBE_MS = 4_000
const DOWNLOAD_MS = 10 * 60_000

/**
 * Decides whether a window can be opened here: `{ electron: path }`, or `{ reason }` in words for a person. Fetches the
 * Electron binary at the first start where its release site answers; gives up within seconds where it does not.
 */
export async function findDesktop() {
  if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) {
    return { reason: 'there is no display here' }
  }
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    return { reason: 'Electron does not run as root' }
  }
  const installed = electronPath()
  if (installed !== undefined) return { electron: installed }
  if (!(await canDownload()))
    return { reason: 'the Electron binary is not installed and its release site does not answer' }
  say('Fetching the Electron binary (once, about 120 MB) …')
  run(requireNode(), [inRoot('node_modules', 'electron', 'install.js')], { capture: true, timeoutMs: DOWNLOAD_MS })
  const fetched = electronPath()
  return fetched === undefined ? { reason: 'the Electron binary could not be fetched' } : { electron: fetched }
}

function electronPath() {
  const folder = inRoot('node_modules', 'electron')
  const dist = process.env.ELECTRON_OVERRIDE_DIST_PATH ?? `${folder}/dist`
  if (!existsSync(`${folder}/path.txt`) && !process.env.ELECTRON_OVERRIDE_DIST_PATH) return undefined
  const file = existsSync(`${folder}/path.txt`) ? readFileSync(`${folder}/path.txt`, 'utf8').trim() : 'electron'
  return existsSync(`${dist}/${file}`) ? `${dist}/${file}` : undefined
}

/** A proxy or a mirror is the user's word that a download works; otherwise ask the release site. */
function canDownload() {
  const { ELECTRON_MIRROR, npm_config_electron_mirror, HTTPS_PROXY, https_proxy } = process.env
  if (ELECTRON_MIRROR || npm_config_electron_mirror || HTTPS_PROXY || https_proxy) return true
  const { version } = JSON.parse(readFileSync(inRoot('node_modules', 'electron', 'package.json'), 'utf8'))
  return answers(`https://github.com/electron/electron/releases/download/v${version}/SHASUMS256.txt`)
}

function answers(url) {
  return new Promise((resolve) => {
    const asked = request(url, { method: 'HEAD' }, (response) => {
      response.resume()
      done(response.statusCode < 400)
    })
    const timer = setTimeout(() => done(false), PROBE_MS)
    const done = (answer) => {
      clearTimeout(timer)
      asked.destroy()
      resolve(answer)
    }
    asked.on('error', () => done(false))
    asked.end()
  })
}
