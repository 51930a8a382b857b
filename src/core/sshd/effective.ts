/** What `sshd -T -C …` says it obeys for one kind of login: lower-case option to its values, in order. */
export type EffectiveConfig = ReadonlyMap<string, readonly string[]>

/** Reads the output of `sshd -T`; whatever is not `option value` is left out. */
export function parseEffectiveConfig(output: string): EffectiveConfig {
  const options = new Map<string, string[]>()
  for (const line of output.split('\n')) {
    const match = /^([a-z0-9]+) (.*)$/.exec(line.trim())
    if (match === null) continue
    const [, name = '', value = ''] = match
    options.set(name, [...(options.get(name) ?? []), value])
  }
  return options
}

/** The one value of an option; empty when sshd does not name it. */
export function effectiveValue(config: EffectiveConfig, name: string): string {
  return config.get(name.toLowerCase())?.[0] ?? ''
}

/** True when sshd obeys exactly this value. `sshd -T` prints paths without quotes, and words in lower case. */
export function obeys(config: EffectiveConfig, name: string, value: string): boolean {
  return (config.get(name.toLowerCase()) ?? []).some((seen) => seen === value)
}

/** One line of sshd_config; values with spaces or signs are quoted. */
export function configLine(name: string, value: string): string {
  return /^[A-Za-z0-9_./%@+:-]+$/.test(value)
    ? `${name} ${value}`
    : `${name} "${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** A path where sshd expands tokens: `%` stands for itself when doubled. */
export const tokenPath = (path: string): string => path.replaceAll('%', '%%')
