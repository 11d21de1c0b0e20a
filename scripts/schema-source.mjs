// Reads the shapes of the Kubernetes kinds out of the npm package that carries them (models of @kubernetes/client-node).
// The package is a build-time source only: its runtime does not load on Node 20, so it is unpacked, never imported.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const SOURCE = '@kubernetes/client-node@2.0.1'
const root = fileURLToPath(new URL('..', import.meta.url))

/** Unpacks `SOURCE` below node_modules/.cache once and returns the folder of its models. */
export function sourceModels() {
  const dir = join(root, 'node_modules/.cache/biplane/client-node-2.0.1')
  const models = join(dir, 'package/dist/gen/models')
  if (!existsSync(models)) {
    mkdirSync(dir, { recursive: true })
    const name = execFileSync('npm', ['pack', SOURCE, '--silent', '--pack-destination', dir], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .at(-1)
    execFileSync('tar', ['xzf', join(dir, name), '-C', dir])
  }
  return models
}

// alpha and beta versions are not served, so their models are left out
const SERVED = /^(V1|V2|[A-Z][a-z]+V1)[A-Z]/
const RENAMED = {
  CoreV1ResourceClaim: 'CoreResourceClaim',
  VersionInfo: 'VersionInfo',
  CoreV1Event: 'Event',
  RbacV1Subject: 'Subject',
  V1MicroTime: 'MicroTime',
}

/** Upstream model name -> our type name: the plain kind for v1, group-prefixed only where two groups share a name. */
export function typeName(model) {
  if (RENAMED[model]) return RENAMED[model]
  if (model.startsWith('CoreV1')) return model.slice('CoreV1'.length)
  const shared = /^([A-Z][a-z]+)V1([A-Z].*)$/.exec(model)
  if (shared) return shared[1] + shared[2]
  return model.startsWith('V1') ? model.slice(2) : model
}

/**
 * Every served model: `{ model, name, doc, properties: [{ name, type, format, required, doc }] }`.
 * `type` is a TypeScript-like expression over upstream model names, as the package spells it.
 */
export function readModels(dir = sourceModels()) {
  const models = []
  for (const file of readdirSync(dir)
    .filter((name) => name.endsWith('.d.ts'))
    .sort()) {
    const model = file.slice(0, -'.d.ts'.length)
    if (model !== 'VersionInfo' && !SERVED.test(model)) continue
    models.push({ model, name: typeName(model), ...readModel(dir, model) })
  }
  return models
}

function readModel(dir, model) {
  const source = readFileSync(join(dir, `${model}.js`), 'utf8')
  const table = /attributeTypeMap = (\[[\s\S]*?\n\]);/.exec(source)
  const attributes = table ? JSON.parse(table[1]) : []
  const declared = readFileSync(join(dir, `${model}.d.ts`), 'utf8')
  const body = declared.slice(declared.indexOf('export declare class'))
  const docs = new Map()
  const required = new Set()
  const property = /(?:\/\*\*\s*\n\s*\*\s([\s\S]*?)\n\s*\*\/\s*)?\n\s*'(\w+)'(\??): /g
  for (let hit = property.exec(body); hit; hit = property.exec(body)) {
    if (hit[1]) docs.set(hit[2], unescape(hit[1]))
    if (hit[3] === '') required.add(hit[2])
  }
  const classDoc = /\/\*\*\n\* ([\s\S]*?)\n\*\/\nexport declare class/.exec(declared)
  return {
    doc: classDoc ? unescape(classDoc[1]) : '',
    properties: attributes.map((attribute) => ({
      name: attribute.baseName,
      type: attribute.type,
      format: attribute.format,
      required: required.has(attribute.name),
      doc: docs.get(attribute.name) ?? '',
    })),
  }
}

const unescape = (text) => text.replace(/\\(['"])/g, '$1').trim()
