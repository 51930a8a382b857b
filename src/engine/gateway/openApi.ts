import { z } from 'zod'
import { AgentApiError, agentApiVersion, agentVersionHeader } from '../../shared/agentApi/index.ts'
import { limitOf, type Route } from './routes.ts'

type Json = Readonly<Record<string, unknown>>

/** Written from the schemas that judge the requests, so that the document cannot say anything else. OpenAPI 3.1. */
export function describeRoutes(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Lockstep agent gateway',
      version: String(agentApiVersion),
      description:
        'What agents and the gateway say to each other, over TLS 1.3. Fields may be added within a version: take no notice of those you do not know.',
    },
    paths,
    components: {
      securitySchemes: {
        clientCertificate: {
          type: 'mutualTLS',
          description: 'A client certificate of this gateway. Identity is its URI name lockstep:agent:<id>.',
        },
      },
      schemas: { Error: schemaOf(AgentApiError, 'output') },
    },
  }
}

function operationOf(route: Route): Json {
  const parameters = [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)]
  return {
    summary: route.summary,
    operationId: operationIdOf(route),
    ...(route.access === 'agent' ? { security: [{ clientCertificate: [] }] } : { security: [] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.request === null ? {} : { requestBody: requestBodyOf(route) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.responses).map(([status, schema]) => [
          status,
          { description: 'done', content: { 'application/json': { schema: schemaOf(schema, 'output') } } },
        ]),
      ),
      default: {
        description: 'refused; the code says why',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  }
}

function operationIdOf({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return [method.toLowerCase(), ...words].map((word, index) => (index === 0 ? word : upperFirst(word))).join('')
}

const upperFirst = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

const pathParameters = ({ path }: Route): Json[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))

function queryParameters({ query }: Route): Json[] {
  if (query === undefined) return []
  return Object.entries(query.shape).map(([name, schema]) => ({
    name,
    in: 'query',
    required: true,
    schema: schemaOf(schema as z.ZodType, 'output'),
  }))
}

const headerParameters = ({ request }: Route): Json[] =>
  request === null ? [] : [{ name: agentVersionHeader, in: 'header', required: true, schema: { type: 'string' } }]

function requestBodyOf(route: Route): Json {
  const { request } = route
  const description = `At most ${limitOf(route)} bytes.`
  if (request === 'bytes' || request === null)
    return { required: true, description, content: { 'application/octet-stream': { schema: { type: 'string' } } } }
  return { required: true, description, content: { 'application/json': { schema: schemaOf(request, 'input') } } }
}

/** Draft 2020-12, the dialect of OpenAPI 3.1. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' })
  return plain
}
