// OpenAPI v3 of what is served, one document per group version, made when somebody asks: most clients never do.
//
//   openApiIndex(kinds)                 GET /openapi/v3: where each document is, with a hash that changes when it does
//   openApiDocument(path, kinds)        GET /openapi/v3/<path>: paths, operations and schemas of that group version
//   openApiHash(path, kinds)            the hash, also good as an ETag
//
// kubectl reads from it: the schemas (`explain`, client-side apply's merge keys), the body types of PATCH (strategic or plain
// merge), the parameters of PATCH (`fieldValidation`, `dryRun`), all found through x-kubernetes-group-version-kind.
// Descriptions are large, so they are a module of their own that is loaded with the first document.
import { createHash } from 'node:crypto'
import { SCHEMA_DIGEST } from '../generated/schemas.ts'
import type { KindDefinition } from '../kind.ts'
import { componentSchemas, type OpenApiSchema } from './component-schemas.ts'
import { groupVersionPath, kindsOf } from './group-version.ts'
import { resourcePaths, type PathItem } from './paths.ts'

export { gvkOfSchemaName, type GroupVersionKind } from './group-version.ts'

/** The body of `GET /openapi/v3`. */
export interface OpenApiIndex {
  readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>
}

/** The body of `GET /openapi/v3/<group version>`. */
export interface OpenApiDocument {
  readonly openapi: '3.0.0'
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: {
    readonly schemas: Readonly<Record<string, OpenApiSchema>>
    readonly securitySchemes: Readonly<Record<string, unknown>>
  }
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
}

/** Where the document of each group version (`api/v1`, `apis/apps/v1`) is, sorted. */
export function openApiIndex(kinds: readonly KindDefinition[]): OpenApiIndex {
  const paths = [...new Set(kinds.map(groupVersionPath))].sort()
  return {
    paths: Object.fromEntries(paths.map((path) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${openApiHash(path, kinds)}` }])),
  }
}

/** Changes exactly when the document may have changed. 32 upper-case hex digits. */
export function openApiHash(path: string, kinds: readonly KindDefinition[]): string {
  const shapes = kindsOf(path, kinds).map(({ group, version, kind, plural, namespaced, schema, status, scale, verbs }) => [
    group,
    version,
    kind,
    plural,
    namespaced,
    schema,
    status,
    scale !== undefined,
    verbs,
  ])
  return createHash('sha256').update(SCHEMA_DIGEST).update(JSON.stringify(shapes)).digest('hex').slice(0, 32).toUpperCase()
}

/** The document of one group version (`api/v1`, `apis/apps/v1`); undefined where none of `kinds` is in it. A fresh value each time. */
export async function openApiDocument(path: string, kinds: readonly KindDefinition[]): Promise<OpenApiDocument | undefined> {
  const served = kindsOf(path, kinds)
  if (served.length === 0) return undefined
  const { DOCS } = await import('../generated/docs.ts')
  const { paths, schemas } = resourcePaths(served)
  const docs = (name: string): Record<string, string> =>
    Object.hasOwn(DOCS, name) ? (JSON.parse(DOCS[name] as string) as Record<string, string>) : {}
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths,
    components: {
      schemas: componentSchemas(schemas, docs),
      securitySchemes: { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'Bearer Token authentication' } },
    },
    security: [{ BearerToken: [] }],
  }
}
