/** What kubectl asks before it does anything: versions, kinds, and which fields there are. */
export function discoveryAnswer(path: string): object | null {
  switch (path) {
    case '/version':
      return {
        major: '1',
        minor: '32',
        gitVersion: 'v1.32.4',
        gitCommit: '0000000000000000000000000000000000000000',
        gitTreeState: 'clean',
        buildDate: '2026-01-01T00:00:00Z',
        goVersion: 'go1.23.6',
        compiler: 'gc',
        platform: 'linux/amd64',
      }
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: [] }
    case '/api/v1':
      return { kind: 'APIResourceList', groupVersion: 'v1', resources }
    case '/openapi/v3':
      return { paths: { 'api/v1': { serverRelativeURL: '/openapi/v3/api/v1' } } }
    case '/openapi/v3/api/v1':
      return openApi
    default:
      return null
  }
}

const resources = [
  {
    name: 'configmaps',
    singularName: 'configmap',
    namespaced: true,
    kind: 'ConfigMap',
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    shortNames: ['cm'],
  },
]

const texts = { type: 'object', additionalProperties: { type: 'string' } }
const kind = { group: '', kind: 'ConfigMap', version: 'v1' }
const parameter = (name: string) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } })

/** Enough for kubectl to know that the server checks fields itself. */
const openApi = {
  openapi: '3.0.0',
  info: { title: 'Kubernetes', version: 'v1.32.4' },
  paths: {
    '/api/v1/namespaces/{namespace}/configmaps/{name}': {
      patch: {
        parameters: [parameter('dryRun'), parameter('fieldManager'), parameter('fieldValidation'), parameter('force')],
        responses: {},
        'x-kubernetes-action': 'patch',
        'x-kubernetes-group-version-kind': kind,
      },
    },
  },
  components: {
    schemas: {
      'io.k8s.api.core.v1.ConfigMap': {
        type: 'object',
        properties: {
          apiVersion: { type: 'string' },
          kind: { type: 'string' },
          metadata: { type: 'object' },
          data: texts,
          binaryData: texts,
          immutable: { type: 'boolean' },
        },
        'x-kubernetes-group-version-kind': [kind],
      },
    },
  },
}
