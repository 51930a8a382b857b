import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../src/platform/exec.ts'
import type { Run } from '../src/shared/model/run.ts'
import { createRunRig, type RunRig } from '../test/support/runRig.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, type Samples, toRow } from './report.ts'

interface Load {
  readonly name: string
  readonly files: number
  readonly sizeBytes: number
}

const smallFiles: Load = { name: '10,000 small files', files: 10_000, sizeBytes: 2_048 }
const largeFiles: Load = { name: '20 x 50 MB', files: 20, sizeBytes: 50_000_000 }
const defaultRounds = 5

/**
 * The sync of a tree to one node on loopback, through the whole run service with its real store, against plain
 * `rsync -a -e ssh` as a person would type it: of our ssh settings it gets who it is and whom to trust, ciphers and
 * key exchange are OpenSSH's own. PUSH_SYNC alone is what rsync does too; the whole run adds its checks, a
 * lock, eleven durable commits and the hashes read back from the node. `--rounds N` changes the number of rounds.
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  const wanted = args.indexOf('--rounds')
  const rounds = wanted < 0 ? defaultRounds : Number(args[wanted + 1])
  const rig = await createRunRig()
  try {
    const samples = [...(await measure(rig, smallFiles, rounds)), ...(await measure(rig, largeFiles, rounds))]
    return { bench: 'tree', machine: thisMachine(), rows: samples.map(toRow) }
  } finally {
    await rig.dispose()
  }
}

async function generate(directory: string, { files, sizeBytes }: Load): Promise<void> {
  for (let index = 0; index < files; index += 1) {
    const parent = join(directory, `d${Math.floor(index / 100)}`)
    if (index % 100 === 0) await mkdir(parent, { recursive: true })
    await writeFile(join(parent, `file-${index}`), randomBytes(sizeBytes))
  }
}

async function measure(rig: RunRig, load: Load, rounds: number): Promise<Samples[]> {
  const source = join(rig.local, 'bench')
  await generate(source, load)
  const first = { push: [] as number[], whole: [] as number[], peer: [] as number[] }
  const again = { push: [] as number[], whole: [] as number[], peer: [] as number[] }
  for (let round = 0; round < rounds; round += 1) {
    // Who goes first alternates, so that neither always finds the warmer cache.
    for (const who of round % 2 === 0 ? (['ours', 'peer'] as const) : (['peer', 'ours'] as const)) {
      const target = join(rig.remote, 'bench')
      await rm(target, { recursive: true, force: true })
      await exec({ command: 'sync', args: [] })
      if (who === 'peer') {
        first.peer.push(await plainRsync(rig, source, target))
        again.peer.push(await plainRsync(rig, source, target))
      } else {
        await rig.plan({ push: { source, target } })
        for (const kept of [first, again]) {
          const done = await succeeded(rig)
          kept.push.push(durationOfPush(done))
          kept.whole.push((done.finishedAt ?? 0) - (done.startedAt ?? 0))
        }
      }
    }
  }
  await rm(source, { recursive: true, force: true })
  return [
    row(`${load.name}, first sync`, 'PUSH_SYNC', first.push, first.peer),
    row(`${load.name}, first sync`, 'whole run', first.whole, first.peer),
    row(`${load.name}, nothing to do`, 'PUSH_SYNC', again.push, again.peer),
    row(`${load.name}, nothing to do`, 'whole run', again.whole, again.peer),
  ]
}

function row(name: string, metric: string, ours: readonly number[], samples: readonly number[]): Samples {
  return { case: name, metric, unit: 'ms', ours, peer: { name: 'rsync -a -e ssh', samples } }
}

async function succeeded(rig: RunRig): Promise<Run> {
  const done = await rig.run()
  if (done.status !== 'succeeded') throw new Error(`the run did not succeed: ${done.failure?.sentence ?? done.status}`)
  return done
}

function durationOfPush(done: Run): number {
  const visit = done.visits.find((candidate) => candidate.state === 'PUSH_SYNC')
  return (visit?.leftAt ?? 0) - (visit?.enteredAt ?? 0)
}

/** What a person has in `~/.ssh/config` for a node with a certificate, and nothing else. */
const usualSettings =
  /^(?:Host|HostName|Port|User|IdentityAgent|IdentityFile|CertificateFile|IdentitiesOnly|HostKeyAlias|UserKnownHostsFile) /

async function plainSsh(rig: RunRig): Promise<{ readonly sshCommand: string; readonly hostAlias: string }> {
  const { sshArguments, hostAlias } = await rig.openSsh.prepare(rig.node, 'automation')
  const settings = await readFile(sshArguments[sshArguments.indexOf('-F') + 1] ?? '', 'utf8')
  const path = join(rig.directory, 'plain.conf')
  const usual = settings.split('\n').filter((line) => usualSettings.test(line))
  await writeFile(path, `${usual.join('\n')}\n`)
  return { sshCommand: `ssh -F ${path}`, hostAlias }
}

async function plainRsync(rig: RunRig, source: string, target: string): Promise<number> {
  const { sshCommand, hostAlias } = await plainSsh(rig)
  const startedMs = performance.now()
  await exec({ command: 'rsync', args: ['-a', '-e', sshCommand, `${source}/`, `${hostAlias}:${target}/`] })
  return performance.now() - startedMs
}
