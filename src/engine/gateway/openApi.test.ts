import { describe, expect, it } from 'vitest'
import { agentApiPaths } from '../../shared/agentApi/index.ts'
import { describeRoutes } from './openApi.ts'
import { createRoutes, type GatewayServices } from './routes.ts'

type Json = Record<string, unknown>

// No route is called here: what they answer is not looked at.
const document = describeRoutes(createRoutes({} as GatewayServices, () => ({}))) as Json

/** Every object in the document, with where it is. */
function* objects(value: unknown, path = '#'): Generator<readonly [string, Json]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [path, value as Json]
  for (const [key, child] of Object.entries(value)) yield* objects(child, `${path}/${key}`)
}

const types = ['string', 'number', 'integer', 'boolean', 'array', 'object', 'null']

function schemaFlaws(schema: Json, at: string): string[] {
  const {
    type,
    required = [],
    properties = {},
    pattern,
  } = schema as {
    type?: unknown
    required?: string[]
    properties?: Json
    pattern?: string
  }
  const flaws = type === undefined || types.includes(String(type)) ? [] : [`${at}: type ${String(type)}`]
  for (const name of required) if (!(name in properties)) flaws.push(`${at}: requires ${name}, which it does not have`)
  if (pattern !== undefined) new RegExp(pattern, 'u')
  return flaws
}

describe('the published description', () => {
  it('is OpenAPI 3.1: versions, operations, parameters of every path, references that lead somewhere', () => {
    expect(document.openapi).toBe('3.1.0')
    expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) })
    const operations = Object.entries(document.paths as Record<string, Record<string, Json>>).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
    )
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { path, method, operation } of operations) {
      expect(path.startsWith('/')).toBe(true)
      expect(['get', 'post', 'put']).toContain(method)
      const parameters = (operation.parameters ?? []) as { name: string; in: string; required: boolean; schema: Json }[]
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name)
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))
      for (const parameter of parameters)
        expect(parameter).toMatchObject({ required: true, schema: { type: 'string' } })
      for (const [status, response] of Object.entries(operation.responses as Record<string, Json>)) {
        expect(status).toMatch(/^(200|201|default)$/)
        expect(response).toMatchObject({
          description: expect.any(String),
          content: { 'application/json': { schema: {} } },
        })
      }
    }
  })

  it('holds schemas that are valid, and no reference that leads nowhere', () => {
    const flaws: string[] = []
    for (const [at, value] of objects(document)) {
      if ('schema' in value || 'properties' in value)
        flaws.push(...schemaFlaws(value.schema === undefined ? value : (value.schema as Json), at))
      if (typeof value.$ref !== 'string') continue
      let target: unknown = document
      for (const part of value.$ref.slice(2).split('/')) target = (target as Json | undefined)?.[part]
      if (target === undefined) flaws.push(`${at}: ${value.$ref} leads nowhere`)
    }
    expect(flaws).toEqual([])
  })

  it('names every path of the interface, and nothing that is for agents without their certificate', () => {
    const { registration, delivery, state, log, ...plain } = agentApiPaths
    const expected = [
      ...Object.values(plain),
      decodeURIComponent(registration('{key}')),
      decodeURIComponent(delivery('{key}')),
      state('{runId}'),
      log('{runId}'),
    ]
    const paths = document.paths as Record<string, Record<string, { security: unknown }>>
    expect(Object.keys(paths).sort()).toEqual(expected.sort())
    const open = Object.entries(paths).flatMap(([path, item]) =>
      Object.values(item).flatMap(({ security }) => ((security as unknown[]).length === 0 ? [path] : [])),
    )
    const { health, openApi, roots, enroll } = agentApiPaths
    expect(open.sort()).toEqual([health, openApi, roots, enroll].sort())
  })

  it('is the one that is published: write it anew with vitest --update when the interface has grown', async () => {
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot('../../../docs/api/agents.openapi.json')
  })
})
