import fc from 'fast-check'
import { RegistryService } from '../../src/shared/model/registry.ts'

/** A public service, with what a test wants to differ. */
export function aService(overrides: Partial<RegistryService> = {}): RegistryService {
  return { name: 'demo', subdomain: 'demo', ip: '100.64.0.7', port: 80, public: true, preserved: [], ...overrides }
}

/** Names as people may well give them, and as nobody should. */
export const anyServiceName = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('demo', '80', '`', 'a"b', "x'y", '{{ env "HOME" }}', '__proto__'),
  )
  .filter((name) => RegistryService.shape.name.safeParse(name).success)

const anyAddress = fc.oneof(
  fc.ipV6().filter((ip) => RegistryService.shape.ip.safeParse(ip).success),
  fc.nat(250).map((last) => `100.64.0.${last}`),
)

/** Services that may be in one registry: names and subdomains of their own. */
export const anyServices: fc.Arbitrary<readonly RegistryService[]> = fc
  .uniqueArray(anyServiceName, { maxLength: 8 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name, index) =>
        fc
          .record({ ip: anyAddress, port: fc.integer({ min: 1, max: 65_535 }), public: fc.boolean() })
          .map((fields) => aService({ ...fields, name, subdomain: `s${index}` })),
      ),
    ),
  )

const anyExtra = fc.uniqueArray(fc.tuple(fc.string(), fc.json()), { selector: ([key]) => key, maxLength: 4 })

/** Registries as their sources may write them: keys in any order, and keys of their own. */
export const anyRegistryText: fc.Arbitrary<string> = anyServices.chain((services) =>
  fc.tuple(...services.map((service) => anyEntry(service))).map((entries) => `{${entries.join(', ')}}`),
)

function anyEntry({ name, preserved: _, ...fields }: RegistryService): fc.Arbitrary<string> {
  const known = Object.entries(fields).map(([key, value]): [string, string] => [key, JSON.stringify(value)])
  return anyExtra
    .map((extra) => [...known, ...extra.filter(([key]) => !(key in fields) && key !== '__proto__')])
    .chain((members) => fc.shuffledSubarray(members, { minLength: members.length }))
    .map((members) => {
      const body = members.map(([key, json]) => `${JSON.stringify(key)} :\t${json}`)
      return `${JSON.stringify(name)}: {${body.join(',\n')}}`
    })
}
