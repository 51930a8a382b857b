import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RepositoryId } from '../../shared/model/ids.ts'
import type { ScanReport } from '../../shared/model/repository.ts'
import { blocksDelivery, canSearchAlone, carriedOver, inForce, judged, scanBase } from './findings.ts'

const hashOf = (index: number): string => index.toString(16).padStart(64, '0')
const findingOf = (index: number) => ({
  hash: hashOf(index),
  rule: 'private-key',
  file: `file-${index}`,
  line: 1,
  message: 'a private key',
  allowed: false,
})

function reportOf(changes: Partial<ScanReport> = {}): ScanReport {
  const findings = changes.findings ?? []
  return {
    repositoryId: RepositoryId.parse('01900000-0000-7000-8000-000000000001'),
    commit: '1'.repeat(40),
    status: 'clean',
    scannedAt: 0,
    durationMs: 0,
    tool: 'search 1',
    scope: { kind: 'full' },
    filesScanned: 10,
    findingsTotal: findings.length,
    ignoredDirectives: [],
    skipped: [],
    diagnosis: null,
    ...changes,
    findings,
  }
}

const judge = (report: ScanReport, allowed: readonly number[], blockOnSecrets = true) =>
  judged(report, {
    settings: { blockOnSecrets },
    allowed: allowed.map((index) => ({ hash: hashOf(index), expiresAt: null })),
    nowMs: 1_000,
  })

describe('what a report says now', () => {
  it('S2.26 blocks exactly while a finding is not allowed', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(20), { maxLength: 8 }), fc.uniqueArray(fc.nat(20)), (found, allowed) => {
        const now = judge(reportOf({ findings: found.map(findingOf) }), allowed)
        const open = found.filter((index) => !allowed.includes(index))
        expect(now.status).toBe(open.length > 0 ? 'blocked' : found.length > 0 ? 'findings' : 'clean')
        expect(now.findings.filter((finding) => !finding.allowed)).toHaveLength(open.length)
        expect(blocksDelivery(now)).toBe(open.length > 0)
      }),
    )
  })

  it('S2.26 without blocking findings are shown, and never called clean', () => {
    expect(judge(reportOf({ findings: [findingOf(1)] }), [], false).status).toBe('findings')
  })

  it('S2.33 findings that were too many to keep count as not allowed', () => {
    expect(judge(reportOf({ findings: [findingOf(1)], findingsTotal: 2 }), [1]).status).toBe('blocked')
  })

  it('S2.33 a scan that failed stays one, whatever is allowed', () => {
    const failed = judge(reportOf({ status: 'failed' }), [])
    expect(failed.status).toBe('failed')
    expect(blocksDelivery(failed)).toBe(true)
    expect(blocksDelivery(judge(reportOf({ status: 'off' }), []))).toBe(false)
  })

  it('S2.33 what is allowed is in force until its time, and not at it', () => {
    const entry = { hash: hashOf(1), expiresAt: 1_000 }
    expect(inForce([entry], 999).has(entry.hash)).toBe(true)
    expect(inForce([entry], 1_000).has(entry.hash)).toBe(false)
    expect(inForce([{ ...entry, expiresAt: null }], Number.MAX_SAFE_INTEGER).has(entry.hash)).toBe(true)
  })
})

describe('what is searched again', () => {
  it('S2.17 everything, unless the newest report is whole and of the same search', () => {
    const report = reportOf({ findings: [findingOf(1)] })
    expect(scanBase(report, 'search 1')).toBe(report.commit)
    expect(scanBase(null, 'search 1')).toBeNull()
    expect(scanBase(report, 'search 2')).toBeNull()
    expect(scanBase({ ...report, findingsTotal: 2 }, 'search 1')).toBeNull()
    expect(scanBase({ ...report, status: 'failed' }, 'search 1')).toBeNull()
    expect(scanBase({ ...report, status: 'off' }, 'search 1')).toBeNull()
  })

  it('S2.17 everything, when a name that is not UTF-8 is in it: nobody can tell which file that is', () => {
    const unnamed = { ...findingOf(1), file: 'caf\uFFFD.env' }
    expect(scanBase(reportOf({ findings: [unnamed] }), 'search 1')).toBeNull()
    expect(canSearchAlone(['a.txt', unnamed.file])).toBe(false)
  })

  it('S2.17 everything, when a file changed that decides how others are read', () => {
    expect(canSearchAlone(['a.txt', 'src/attributes'])).toBe(true)
    for (const file of ['.gitattributes', 'deep/down/.gitattributes', '.gitleaks.toml', '.gitmodules'])
      expect(canSearchAlone(['a.txt', file])).toBe(false)
  })

  it('S2.17 findings of files that did not change are carried over, those of others are not', () => {
    const directive = { file: 'file-2', line: 3 }
    const earlier = reportOf({ findings: [findingOf(1), findingOf(2)], ignoredDirectives: [directive] })
    const kept = carriedOver(earlier, (file) => file === 'file-2')
    expect(kept.findings.map(({ file }) => file)).toEqual(['file-2'])
    expect(kept.ignoredDirectives).toEqual([directive])
  })
})
