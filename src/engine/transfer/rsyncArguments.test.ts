import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  normalizedRemoteDirectory,
  overlaps,
  rsyncRemoteDirectory,
  shellRemoteDirectory,
} from '../../core/transfer/paths.ts'
import { type RsyncTransfer, rsyncArguments } from '../../core/transfer/rsyncArguments.ts'
import { RunId } from '../../shared/model/ids.ts'
import { localDirectory } from './paths.ts'
import { remoteRsyncProgram } from './remoteProcess.ts'

const transfer: RsyncTransfer = {
  direction: 'push',
  localDirectory: '/srv/site',
  remoteDirectory: '~/site',
  excludes: [],
  bandwidthKiBps: null,
  access: { sshCommand: 'ssh -F /x/conf', hostAlias: 'node-1' },
  remoteProgram: remoteRsyncProgram(RunId.parse('01900000-0000-7000-8000-00000000000a')),
  deletes: null,
  dryRun: false,
  checksum: false,
  listEqual: false,
  replaceTogether: true,
}

describe('the arguments of rsync', () => {
  it('S0.69 S0.70 S0.71 sends a directory, resumable and atomic, with protected arguments', () => {
    const args = rsyncArguments(transfer, 'mark ')
    expect(args).toEqual(
      expect.arrayContaining(['-rlpt', '--protect-args', '--partial-dir=.lockstep-partial', '--delay-updates']),
    )
    expect(args.slice(-3)).toEqual(['--', '/srv/site/', 'node-1:./site/'])
    expect(args.some((argument) => argument.startsWith('--delete') || argument === '--inplace')).toBe(false)
  })

  it('a pull has its ends the other way round', () => {
    expect(rsyncArguments({ ...transfer, direction: 'pull' }, 'mark ').slice(-2)).toEqual([
      'node-1:./site/',
      '/srv/site/',
    ])
  })

  it('U35 deletes only when told to, and no more than was seen', () => {
    expect(rsyncArguments({ ...transfer, deletes: { atMost: 3 } }, 'mark ')).toEqual(
      expect.arrayContaining(['--delete-delay', '--max-delete=3']),
    )
    expect(rsyncArguments({ ...transfer, deletes: { atMost: 0 } }, 'mark ').join(' ')).not.toContain('delete')
  })

  it('a dry run changes nothing', () => {
    expect(rsyncArguments({ ...transfer, dryRun: true }, 'mark ')).toContain('--dry-run')
  })

  it('whatever a path or pattern holds, it stays one value and never becomes an option', () => {
    const path = fc.string({ minLength: 1 }).filter((text) => !text.includes('\0'))
    fc.assert(
      fc.property(path, path, (name, pattern) => {
        const args = rsyncArguments(
          {
            ...transfer,
            remoteDirectory: `/srv/${name}/x`,
            localDirectory: `/home/${name}`,
            excludes: [pattern],
          },
          'mark ',
        )
        const ends = args.slice(args.indexOf('--') + 1)
        expect(ends).toHaveLength(2)
        expect(ends.every((end) => end.endsWith('/') && /^(\/|node-1:\/)/.test(end))).toBe(true)
        expect(args.filter((argument) => argument === `--filter=- ${pattern}`)).toHaveLength(1)
      }),
    )
  })
})

describe('paths', () => {
  it('D17 home is expanded on the node: relative for rsync, $HOME for scripts', () => {
    expect(rsyncRemoteDirectory('~/a b')).toBe('./a b')
    expect(shellRemoteDirectory("~/it's")).toBe(`"$HOME"/'it'\\''s'`)
    expect(shellRemoteDirectory('/srv/$(id)')).toBe("'/srv/$(id)'")
  })

  it('one directory has one spelling', () => {
    for (const spelling of ['/srv/x', '/srv/x/', '/srv//x', '/srv/./x', '/srv/x/.', '/srv/x//'])
      expect(normalizedRemoteDirectory(spelling)).toBe('/srv/x')
  })

  it('directories inside one another overlap, neighbours do not', () => {
    expect(overlaps('/srv/a', '/srv/a/b')).toBe(true)
    expect(overlaps('/srv/a', '/srv/ab')).toBe(false)
  })

  it('a node name is one path segment, and never a way out', () => {
    expect(localDirectory('/copies/{node}/logs/', 'web 1')).toBe('/copies/web 1/logs')
    expect(() => localDirectory('/copies/{node}', '..')).toThrow(/Rename the node/)
  })
})
