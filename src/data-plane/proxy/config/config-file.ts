import { createHash } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { SavedConfig } from './config-state.ts'

const FORMAT = 1
/** Larger files are refused unread. */
const MAX_BYTES = 256 * 1024 * 1024

/** Writes the configuration so that a crash leaves the old file or the new one, and only its owner can read it. @throws Error of the file system, such as ENOSPC: the old file stays */
export async function writeConfigFile(path: string, config: SavedConfig): Promise<void> {
  const body = JSON.stringify(config)
  const head = JSON.stringify({ format: FORMAT, bytes: Buffer.byteLength(body), sha256: sha256(body) })
  const temporary = `${path}.new`
  try {
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(`${head}\n${body}`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** The configuration that was saved; undefined: there is none. @throws Error that says what is damaged */
export async function readConfigFile(path: string): Promise<SavedConfig | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  if (bytes.length > MAX_BYTES) throw new Error(`has ${bytes.length} bytes, at most ${MAX_BYTES} are read`)
  const end = bytes.indexOf(10)
  const head = parse(bytes.subarray(0, Math.max(0, end)), 'its head') as { format?: unknown; bytes?: unknown; sha256?: unknown }
  if (head.format !== FORMAT) throw new Error(`has format ${JSON.stringify(head.format)}, this version reads ${FORMAT}`)
  const body = bytes.subarray(end + 1)
  if (head.bytes !== body.length) throw new Error(`should have ${String(head.bytes)} bytes after its head and has ${body.length}`)
  if (head.sha256 !== sha256(body)) throw new Error('its checksum does not match: the content has changed since it was written')
  const config = parse(body, 'its body') as Partial<SavedConfig>
  if (!Array.isArray(config.wanted) || !Array.isArray(config.resources)) throw new Error('lacks "wanted" or "resources"')
  return config as SavedConfig
}

/** Puts a damaged file where it does not disturb and can be looked at. */
export async function moveAside(path: string): Promise<string> {
  const aside = `${path}.damaged`
  await rename(path, aside)
  return aside
}

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')

function parse(bytes: Buffer, what: string): object {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // said below
  }
  throw new Error(`${what} is no JSON object`)
}
