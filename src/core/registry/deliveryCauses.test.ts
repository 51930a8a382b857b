import { describe, expect, it } from 'vitest'
import { errorCodes } from '../../shared/errors.ts'
import { severityOf } from '../run/severity.ts'
import { deliveryRefused, traefikNotListing, traefikNotRunning } from './deliveryCauses.ts'

const node = { name: 'edge-1', user: 'sammy' }

describe('why something was not delivered', () => {
  it('S1.74 S1.75 S1.77 tries again what may have been bad luck, and leaves to the next cycle what somebody has to mend', () => {
    for (const code of ['RECEIVER_FAILED', 'REMOTE_FILE_CHANGED', 'VERIFY_MISMATCH'] as const)
      expect(severityOf(code)).toBe('retryable')
    for (const code of [
      'TRAEFIK_NOT_RUNNING',
      'TRAEFIK_NOT_LISTING',
      'REMOTE_FILE_IMMUTABLE',
      'HOSTS_FILE_UNREADABLE',
    ] as const)
      expect(severityOf(code)).toBe('fatal')
  })

  it('S1.75 S1.77 names the node, the file and the next step for every refusal, in at most four words on a card', () => {
    for (const code of errorCodes) {
      for (const kind of ['routes', 'hosts'] as const) {
        const cause = deliveryRefused(node, { kind, path: '/some/file' }, { code, evidence: ['as seen'] })
        expect(cause.sentence).toContain('edge-1')
        expect(cause.sentence).toContain('/some/file')
        expect(cause.short.split(' ').length).toBeLessThanOrEqual(4)
        expect(cause.evidence).toEqual(['as seen'])
      }
    }
  })

  it('S1.77 a link that root does not follow is no missing directory', () => {
    const evidence = ['/srv/eve/conf: a link of another user, which root does not follow']
    const cause = deliveryRefused(
      node,
      { kind: 'hosts', path: '/some/file' },
      { code: 'REMOTE_PATH_INVALID', evidence },
    )
    expect(cause).toMatchObject({ short: 'link of another', evidence, nextAction: { kind: 'edit-plan' } })
    expect(cause.sentence).not.toContain('is not there')
  })

  it('S1.77 says the specific reason', () => {
    expect(traefikNotRunning(node, 'the container traefik is exited', []).sentence).toContain('is exited')
    expect(traefikNotRunning(node, 'Is the docker daemon running?', []).sentence).toContain('daemon running. Start it')
    expect(traefikNotListing(node, '2 routers are missing', []).sentence).toContain('2 routers are missing')
  })
})
