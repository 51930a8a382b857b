import { join } from 'node:path'
import { writeFileAtomic } from '../platform/atomicFile.ts'
import type { HomePaths } from '../platform/paths.ts'
import { spawnDetached } from '../platform/spawnDetached.ts'

/** What a browser needs to find the person's screen; nothing else of the environment is passed on. */
const screenVariables = [
  'DISPLAY',
  'WAYLAND_DISPLAY',
  'XDG_RUNTIME_DIR',
  'XAUTHORITY',
  'DBUS_SESSION_BUS_ADDRESS',
  'XDG_CURRENT_DESKTOP',
]

/**
 * Opens a one-time link in the person's browser, where there is a screen. The link goes through a file that only the
 * person can read: a command line is shown to everybody on the machine.
 *
 * @returns false where nothing could be opened
 */
export async function openInBrowser(link: string, home: HomePaths): Promise<boolean> {
  const opener = openerHere(process.platform, process.env)
  if (opener === null) return false
  const file = join(home.runDirectory, 'open-console.html')
  await writeFileAtomic(
    file,
    `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=${link}">\n`,
  )
  const environment = screenVariables.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return spawnDetached({ command: opener, args: [file], env: Object.fromEntries(environment) }).then(
    () => true,
    () => false,
  )
}

function openerHere(platform: NodeJS.Platform, environment: NodeJS.ProcessEnv): string | null {
  if (platform === 'darwin') return 'open'
  if (platform === 'win32') return 'explorer'
  return environment.DISPLAY || environment.WAYLAND_DISPLAY ? 'xdg-open' : null
}
