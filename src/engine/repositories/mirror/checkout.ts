import type { GitResult } from '../../../platform/git/git.ts'
import type { AppError } from '../../../shared/errors.ts'
import { gitError } from './failure.ts'
import type { WorkOptions } from './mirrorGit.ts'
import type { RemoteAccess } from './remoteAccess.ts'
import type { Runner } from './runner.ts'

export interface CheckoutOptions extends WorkOptions {
  readonly force: boolean
}

/** How the git on the machine of the checkout gets to a remote. */
export type AccessFor = (url: string) => Promise<RemoteAccess>

/** One checkout and the calls of git in it. */
export class Checkout {
  readonly runner: Runner
  readonly directory: string
  readonly shown: string
  readonly #options: WorkOptions

  constructor(runner: Runner, directory: string, options: WorkOptions) {
    this.runner = runner
    this.directory = directory
    this.shown = runner.machine === 'this machine' ? directory : `${runner.machine}:${directory}`
    this.#options = options
  }

  run(args: readonly string[], more: { readonly access?: RemoteAccess } = {}): Promise<GitResult> {
    return this.runner.git({ ...this.#options, ...more, args, directory: this.directory })
  }

  async must(args: readonly string[]): Promise<string> {
    return (await this.bytes(args)).toString('utf8').replace(/\n$/, '')
  }

  async bytes(args: readonly string[]): Promise<Buffer> {
    const result = await this.run(args)
    if (result.exitCode !== 0) throw this.error(result)
    return result.stdout
  }

  /** Null when git ends with another exit code than 0. */
  async maybe(args: readonly string[]): Promise<string | null> {
    const { exitCode, stdout } = await this.run(args)
    return exitCode === 0 ? stdout.toString('utf8').replace(/\n$/, '') : null
  }

  error(result: Pick<GitResult, 'exitCode' | 'stderr'>): AppError {
    return gitError(result, { place: this.shown, login: 'none', machine: this.runner.machine })
  }
}

export async function tip(checkout: Checkout, ref: string): Promise<string | null> {
  const found = await checkout.maybe(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`])
  return found?.split('\n').at(-1) ?? null
}
