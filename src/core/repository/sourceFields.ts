import type { z } from 'zod'
import type { YamlDocument } from '../parse/yamlDocuments.ts'

/** What is wrong with a configuration, where a person can find it. */
export interface ConfigurationProblem {
  /** From the root: `vms.vm01.ip`; empty for the text itself. */
  readonly field: string
  /** From 1; null for a mistake that is in no one line. */
  readonly line: number | null
  readonly message: string
}

type Path = readonly string[]

/** Gathers mistakes, each at its place. */
export class Problems {
  readonly #document: YamlDocument
  readonly #problems: ConfigurationProblem[] = []

  constructor(document: YamlDocument) {
    this.#document = document
  }

  get any(): boolean {
    return this.#problems.length > 0
  }

  add(path: Path, message: string): void {
    this.#problems.push({ field: path.join('.'), line: this.#document.lineOf(path), message })
  }

  result(): { readonly ok: false; readonly problems: readonly ConfigurationProblem[] } {
    return { ok: false, problems: this.#problems }
  }

  /**
   * What a schema makes of the input; null when it refuses, with each mistake at the place in the configuration it came from.
   * @param places by the path in the schema, the longest that fits wins
   */
  parsed<Schema extends z.ZodType>(
    schema: Schema,
    input: unknown,
    places: Readonly<Record<string, Path>>,
  ): z.infer<Schema> | null {
    const checked = schema.safeParse(input)
    if (checked.success) return checked.data
    for (const issue of checked.error.issues) {
      const names = issue.path.map(String)
      this.add(placeOf(names, places), issue.message)
    }
    return null
  }
}

function placeOf(names: readonly string[], places: Readonly<Record<string, Path>>): Path {
  for (let length = names.length; length > 0; length -= 1) {
    const key = names.slice(0, length).join('.')
    if (Object.hasOwn(places, key)) return places[key] ?? []
  }
  return []
}

/** A mapping of the configuration, read field by field; what is absent or empty is null, what is something else a mistake. */
export class Fields {
  readonly path: Path
  readonly #values: ReadonlyMap<string, unknown>
  readonly #problems: Problems

  constructor(value: unknown, path: Path, problems: Problems) {
    this.path = path
    this.#problems = problems
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
    if (!isMapping) problems.add(path, 'is a mapping of names to values')
    this.#values = new Map(isMapping ? Object.entries(value) : [])
  }

  get keys(): string[] {
    return [...this.#values.keys()]
  }

  has(key: string): boolean {
    return (this.#values.get(key) ?? null) !== null
  }

  pathOf(key: string): Path {
    return [...this.path, key]
  }

  nameOf(key: string): string {
    return this.pathOf(key).join('.')
  }

  section(key: string): Fields | null {
    return this.has(key) ? new Fields(this.#values.get(key), this.pathOf(key), this.#problems) : null
  }

  text(key: string): string | null {
    return this.#read(key, 'is a text', (value) => (typeof value === 'string' ? value : null))
  }

  flag(key: string): boolean | null {
    return this.#read(key, 'is true or false', (value) => (typeof value === 'boolean' ? value : null))
  }

  /** A number, also written as a text. */
  port(key: string): number | null {
    return this.#read(key, 'is a port, 1 to 65535', (value) => {
      if (typeof value === 'number') return value
      return typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : null
    })
  }

  texts(key: string): string[] | null {
    return this.#read(key, 'is a list of texts', (value) =>
      Array.isArray(value) && value.every((entry) => typeof entry === 'string') ? value : null,
    )
  }

  #read<Value>(key: string, expected: string, take: (value: unknown) => Value | null): Value | null {
    if (!this.has(key)) return null
    const taken = take(this.#values.get(key))
    if (taken === null) this.#problems.add(this.pathOf(key), expected)
    return taken
  }
}
