import { describe, expect, it } from 'vitest'
import { RepositoryId } from '../../shared/model/ids.ts'
import type { Repository } from '../../shared/model/repository.ts'
import { tokenFor } from './secrets.ts'

const id = RepositoryId.parse('01900000-0000-7000-8000-000000000001')

/** Settings and token, changed together by whoever comes between two reads. */
function changing(between: 'before' | 'in between' | 'after') {
  const now = { remote: 'https://old.example/site.git', token: 'old token' }
  const change = (moment: string): void => {
    if (moment === between) Object.assign(now, { remote: 'https://new.example/site.git', token: 'new token' })
  }
  change('before')
  return {
    secrets: {
      token: async () => {
        const { token } = now
        change('in between')
        return token
      },
    },
    store: {
      getRepository: async () => {
        const { remote } = now
        change('after')
        return { settings: { remote } } as Repository
      },
    },
  }
}

describe('S2.11 the token of a repository', () => {
  it('is never handed out for a server that it is not for, whenever settings and token are changed', async () => {
    const old = 'https://old.example/site.git'
    await expect(tokenFor(changing('before'), id, old)).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(tokenFor(changing('in between'), id, old)).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await tokenFor(changing('after'), id, old)).toBe('old token')
  })

  it('is for another path of the same server too', async () => {
    expect(await tokenFor(changing('before'), id, 'https://new.example/module.git')).toBe('new token')
  })
})
