import { describe, expect, it } from 'vitest'
import { explainGit, filesInTheWay, type GitQuestion, wantedHashFunction } from './git.ts'

const question: GitQuestion = { place: 'https://git.example/x', login: 'token', machine: 'this machine' }
const explain = (stderr: string, exitCode = 128) => explainGit(stderr, exitCode, question)

/** What git, ssh and curl really print, by what it means. */
const said: Readonly<Record<string, readonly string[]>> = {
  LOCAL_DISK_FULL: [
    'fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output',
    'error: unable to write file a.txt: Disk quota exceeded',
  ],
  REPOSITORY_LOCKED: [
    `fatal: Unable to create '/srv/x/.git/index.lock': File exists.\n\nAnother git process seems to be running in this repository`,
    `error: cannot lock ref 'refs/remotes/origin/main': Unable to create '/x/.git/refs/remotes/origin/main.lock': File exists.`,
  ],
  REPOSITORY_DIVERGED: [
    'error: Your local changes to the following files would be overwritten by merge:\n\ta.txt\nPlease commit your changes or stash them before you merge.\nAborting',
    'error: The following untracked working tree files would be overwritten by merge:\n\tb.txt\nAborting',
    'fatal: Not possible to fast-forward, aborting.',
    'fatal: You have not concluded your merge (MERGE_HEAD exists).',
    ' ! [rejected]        main       -> main  (non-fast-forward)',
  ],
  REPOSITORY_REFUSED: [
    `remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://git.example/x/'`,
    `fatal: could not read Username for 'https://git.example': terminal prompts disabled`,
    `fatal: unable to access 'https://git.example/x/': The requested URL returned error: 403`,
    'git@git.example: Permission denied (publickey).\nfatal: Could not read from remote repository.',
    'No ED25519 host key is known for git.example and you have requested strict checking.\nHost key verification failed.\nfatal: Could not read from remote repository.',
    `fatal: unable to access 'https://git.example/x/': SSL certificate problem: self-signed certificate`,
    `fatal: detected dubious ownership in repository at '/srv/x'`,
    `fatal: transport 'ext' not allowed`,
  ],
  REF_NOT_FOUND: [
    `fatal: couldn't find remote ref nothing`,
    'warning: Could not find remote branch x to clone.\nfatal: Remote branch x not found in upstream origin',
    'fatal: remote error: upload-pack: not our ref ffffffffffffffffffffffffffffffffffffffff',
    'error: Server does not allow request for unadvertised object 123',
    'fatal: bad object 123',
  ],
  REPOSITORY_UNREACHABLE: [
    `fatal: unable to access 'https://git.example/x/': Could not resolve host: git.example`,
    `fatal: unable to access 'https://git.example/x/': Failed to connect to git.example port 443 after 1 ms: Couldn't connect to server`,
    'ssh: connect to host git.example port 22: Connection refused\nfatal: Could not read from remote repository.',
    `fatal: repository 'https://git.example/x/' not found`,
    `fatal: '/srv/x' does not appear to be a git repository\nfatal: Could not read from remote repository.`,
    'fatal: the remote end hung up unexpectedly\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output',
    'error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502',
  ],
  SOURCE_MISSING: ['fatal: not a git repository (or any of the parent directories): .git'],
  HOME_NOT_WRITABLE: [`error: cannot open '.git/FETCH_HEAD': Permission denied`],
}

describe('what git means when it fails', () => {
  for (const [code, texts] of Object.entries(said))
    it.each(texts)(`S2.10 ${code}: %s`, (text) => {
      const failure = explain(text)
      expect(failure.code).toBe(code)
      expect(failure.message).toMatch(/\. /)
    })

  it('S2.10 only what can get better by itself is tried again', () => {
    const transient = (text: string): boolean => explain(text).transient
    expect(transient('fatal: early EOF')).toBe(true)
    expect(transient(`fatal: repository 'https://git.example/x/' not found`)).toBe(false)
    expect(transient(`fatal: Authentication failed for 'https://git.example/x/'`)).toBe(false)
    expect([explain('', 143).transient, explain('', 128).transient]).toEqual([true, false])
  })

  it('S2.11 the advice fits the login', () => {
    const text = 'git@git.example: Permission denied (publickey).'
    const advice = (login: GitQuestion['login']) => explainGit(text, 128, { ...question, login }).message
    expect(
      new Set(
        ['none', 'key', 'certificate', 'token', 'elsewhere'].map((login) => advice(login as GitQuestion['login'])),
      ).size,
    ).toBe(5)
    expect(advice('certificate')).toContain('principal')
  })

  it('S2.11 what git says is shown without credentials and control characters', () => {
    const { message, line } = explain(`fatal: odd thing at https://me:hunter2@git.example/x \u001b[31m`, 1)
    expect(message + line).not.toMatch(/hunter2|\u001b/)
    expect(message).toContain('odd thing')
  })

  it('S2.10 nothing said is still an answer', () => {
    expect(explain('', 1)).toMatchObject({ code: 'PROGRAM_FAILED', line: '' })
  })

  it('S2.10 names the files in the way, as they can be shown', () => {
    const stderr = 'error: Your local changes would be overwritten by merge:\n\ta.txt\n\tb\u001b.txt\nAborting'
    expect(filesInTheWay(stderr)).toEqual(['a.txt', 'b\\u{001b}.txt'])
  })

  it('S2.10 knows a remote of another hash function', () => {
    expect(wantedHashFunction('fatal: mismatched algorithms: client sha1; server sha256')).toBe('sha256')
    expect(wantedHashFunction('fatal: other')).toBeNull()
  })
})
