import { childrenOf, childrenOfTag, type DerNode, oid, readOid, readString, sequence, setOf, TAG, utf8String } from './der.ts'
import { OID } from './oids.ts'

/** Of a distinguished name what Kubernetes looks at: the user's name and groups. */
export interface DistinguishedName {
  readonly commonName: string
  readonly organizations?: readonly string[]
}

/** Encodes organizations, then the common name. */
export function encodeName(name: DistinguishedName): Buffer {
  const attribute = (type: string, value: string): Buffer => sequence(oid(type), utf8String(value))
  // one set of many, as Go and openssl's readers show them in the order given only when apart
  const organizations = (name.organizations ?? []).map((value) => setOf(attribute(OID.organization, value)))
  const commonName = name.commonName === '' ? [] : [setOf(attribute(OID.commonName, name.commonName))]
  return sequence(...organizations, ...commonName)
}

/** Reads a name; attributes other than these two are left out. @throws {DerError} */
export function readName(node: DerNode | undefined): DistinguishedName {
  let commonName = ''
  const organizations: string[] = []
  for (const set of childrenOfTag(node, TAG.sequence)) {
    for (const attribute of childrenOfTag(set, TAG.set)) {
      const [type, value] = childrenOf(attribute)
      const id = readOid(type)
      if (id === OID.commonName) commonName = readString(value)
      else if (id === OID.organization) organizations.push(readString(value))
    }
  }
  return { commonName, organizations }
}
