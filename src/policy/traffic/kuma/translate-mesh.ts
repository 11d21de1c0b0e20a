import { meshDeprecations, type KumaObject } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { Finding, MeshSettings } from '../input/index.ts'
import { originOf } from './kuma-input.ts'

interface Mtls {
  enabledBackend?: string
  backends?: { name: string; mode?: 'PERMISSIVE' | 'STRICT' }[]
}

/** What a Mesh says of all of it. `mtls`: identities for all; Kuma's mode without a word is strict, and without a permission nobody may call. */
export function translateMesh(
  objects: readonly KumaObject[],
  settings: MeshSettings,
  findings: Finding[],
): { mesh: MeshSettings; skippedDefaults: readonly string[] } {
  let mesh = settings
  let skippedDefaults: readonly string[] = []
  for (const object of objects) {
    const origin = originOf(object)
    if (origin.name !== 'default') {
      findings.push({ origin, type: 'Invalid', reason: 'OneMeshOnly', message: 'there is one mesh, called default; this one is ignored' })
      continue
    }
    for (const message of meshDeprecations(object)) findings.push({ origin, type: 'Deprecated', reason: 'DeprecatedSpelling', message })
    skippedDefaults = (object.spec?.['skipCreatingInitialPolicies'] as string[] | undefined) ?? []
    const mtls = object.spec?.['mtls'] as Mtls | undefined
    const backend = mtls?.backends?.find(({ name }) => name === mtls.enabledBackend)
    if (!backend) continue
    mesh = {
      ...mesh,
      mtls: true,
      defaultPermission: 'deny',
      defaultMode: backend.mode === 'PERMISSIVE' ? 'permissive' : 'strict',
      issuer: `${mesh.issuer}/${backend.name}`,
    }
  }
  return { mesh, skippedDefaults }
}

/** Identities by MeshIdentity: the first of its name in order, as Kuma has it for one proxy; without a selector it is nobody's. */
export function translateIdentities(
  objects: readonly KumaObject[],
  settings: MeshSettings,
  zone: string,
  findings: Finding[],
): MeshSettings {
  const chosen = [...objects]
    .sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1))
    .filter(({ spec }) => spec?.['selector'] !== undefined)
  const [first, ...others] = chosen
  for (const other of others) {
    findings.push({
      origin: originOf(other),
      type: 'Shadowed',
      reason: 'AnotherIdentity',
      message: `all proxies have their identity by MeshIdentity/${first?.metadata?.name ?? ''}`,
    })
  }
  if (!first) return settings
  const provider = (first.spec?.['provider'] as { type?: string } | undefined)?.type
  if (provider !== 'Bundled') {
    findings.push({
      origin: originOf(first),
      type: 'Invalid',
      reason: 'ProviderNotServed',
      message: `spec.provider.type: ${provider} is not served here; use Bundled`,
    })
    return settings
  }
  const spiffeID = first.spec?.['spiffeID'] as { trustDomain?: string; path?: string } | undefined
  if (spiffeID?.path !== undefined && spiffeID.path.replaceAll(' ', '') !== '/ns/{{.Namespace}}/sa/{{.ServiceAccount}}') {
    findings.push({
      origin: originOf(first),
      type: 'Invalid',
      reason: 'PathNotServed',
      message: 'spec.spiffeID.path: identities are always /ns/{{ .Namespace }}/sa/{{ .ServiceAccount }} here',
    })
  }
  const trustDomain = spiffeID?.trustDomain?.replaceAll(/\{\{\s*\.Mesh\s*\}\}/g, 'default').replaceAll(/\{\{\s*\.Zone\s*\}\}/g, zone)
  return { ...settings, mtls: true, defaultPermission: 'deny', ...(trustDomain === undefined ? {} : { trustDomain }) }
}

/** Certificates of authorities by trust domain, those of several objects together. */
export function translateTrust(objects: readonly KumaObject[]): Readonly<Record<string, readonly string[]>> {
  const out: Record<string, string[]> = {}
  for (const { spec } of objects) {
    const { trustDomain, caBundles = [] } = (spec ?? {}) as { trustDomain?: string; caBundles?: { pem?: { value?: string } }[] }
    if (trustDomain === undefined) continue
    const pems = caBundles.flatMap(({ pem }) => pem?.value?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [])
    out[trustDomain] = [...new Set([...(out[trustDomain] ?? []), ...pems])]
  }
  return out
}
