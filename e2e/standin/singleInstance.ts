import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const fileName = 'standin-instance'

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** One app for each user data directory: the file holds the pid of the first, a second one leaves its arguments beside it. */
export function takeInstanceLock(userData: string): boolean {
  const file = join(userData, fileName)
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    const pid = Number(readFileSync(file, 'utf8'))
    if (!isAlive(pid)) {
      rmSync(file, { force: true })
      return takeInstanceLock(userData)
    }
    writeFileSync(`${file}.second`, JSON.stringify({ argv: process.argv, directory: process.cwd() }))
    process.kill(pid, 'SIGUSR2')
    return false
  }
}

export function releaseInstanceLock(userData: string): void {
  rmSync(join(userData, fileName), { force: true })
}

export function onSecondInstance(
  userData: () => string,
  listener: (argv: readonly string[], directory: string) => void,
): void {
  process.on('SIGUSR2', () => {
    const said = JSON.parse(readFileSync(join(userData(), `${fileName}.second`), 'utf8')) as {
      argv: string[]
      directory: string
    }
    listener(said.argv, said.directory)
  })
}
