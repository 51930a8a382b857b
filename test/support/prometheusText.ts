/** One sample of the text format: `name{label="value"} 1`. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Exposition {
  readonly types: ReadonlyMap<string, string>
  readonly samples: readonly Sample[]
  /** The one sample with exactly these labels. */
  value(name: string, labels?: Readonly<Record<string, string>>): number
}

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const labelText = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`
const sampleLine = new RegExp(`^(${metricName})(?:\\{((?:${labelText})(?:,${labelText})*)\\})? ([^ ]+)$`)
const commentLine = new RegExp(`^# (HELP|TYPE) (${metricName}) (.+)$`)
const types = ['counter', 'gauge', 'histogram', 'summary', 'untyped']

/**
 * Reads Prometheus' text format 0.0.4 as strictly as it is written down, and refuses everything else.
 * @throws Error naming the line
 */
export function parsePrometheusText(text: string): Exposition {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const declared = new Map<string, string>()
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    if (line.startsWith('#')) readComment(line, declared)
    else samples.push(readSample(line, declared))
  }
  const keys = samples.map(({ name, labels }) => JSON.stringify([name, Object.entries(labels).sort()]))
  const double = keys.find((key, index) => keys.indexOf(key) !== index)
  if (double !== undefined) throw new Error(`told twice: ${double}`)
  return {
    types: declared,
    samples,
    value: (name, labels = {}) => {
      const found = samples[keys.indexOf(JSON.stringify([name, Object.entries(labels).sort()]))]
      if (found === undefined) throw new Error(`no sample ${name} ${JSON.stringify(labels)}`)
      return found.value
    },
  }
}

function readComment(line: string, declared: Map<string, string>): void {
  const [, kind, name = '', rest = ''] = commentLine.exec(line) ?? []
  if (kind === undefined) throw new Error(`no comment of this format: ${line}`)
  if (kind === 'HELP') return
  if (!types.includes(rest) || declared.has(name)) throw new Error(`a wrong or second type: ${line}`)
  declared.set(name, rest)
}

function readSample(line: string, declared: ReadonlyMap<string, string>): Sample {
  const [, name, labels = '', value = ''] = sampleLine.exec(line) ?? []
  if (name === undefined) throw new Error(`no sample of this format: ${line}`)
  const family = declared.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')
  if (!declared.has(family)) throw new Error(`no type was declared before: ${line}`)
  return { name, labels: readLabels(labels), value: readValue(value, line) }
}

function readLabels(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)]
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value.replace(/\\(.)/g, unescaped)]))
}

const unescaped = (_all: string, character: string): string => (character === 'n' ? '\n' : character)

function readValue(text: string, line: string): number {
  if (text === 'NaN') return Number.NaN
  if (text === '+Inf' || text === '-Inf') return text === '+Inf' ? Infinity : -Infinity
  const value = /^[+-]?[\d.]+(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(value)) throw new Error(`no number: ${line}`)
  return value
}
