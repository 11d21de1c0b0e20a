import { errnoName } from '../../../base/linux/libc.ts'
import { AttributeCursor, MessageCursor, type Acknowledgement } from '../../../protocols/netlink/index.ts'
import {
  ElementError,
  encodeElementBatch,
  encodeGetSet,
  NFT_MSG,
  readSetShape,
  type ElementBatch,
  type SetChange,
  type SetShape,
} from '../../../protocols/nftables/index.ts'
import type { ElementChange } from '../contract.ts'
import type { NetlinkSocket } from '../netlink/index.ts'
import { NftError } from './nft-error.ts'

/**
 * Changes elements in one transaction. Asks the kernel first what kind each set is: whoever makes a set anew may change that, and to ask costs less
 * than to know. @throws {NftError}
 */
export async function applyElements(socket: NetlinkSocket, changes: readonly ElementChange[]): Promise<void> {
  const wanted = changes.filter((change) => change.elements.length > 0)
  if (wanted.length === 0) return
  const shapes = await readShapes(socket, wanted)
  const shaped = wanted.map((change): SetChange => ({ ...change, shape: shapes.get(nameOf(change)) as SetShape }))
  const batch = encode(socket, shaped)
  const { bytes, lastSequence, beginSequence } = batch
  const errors = await socket.request({ bytes, lastSequence, beginSequence, what: 'nf_tables elements' })
  if (errors[0]) throw describe(batch, errors[0])
}

async function readShapes(socket: NetlinkSocket, changes: readonly ElementChange[]): Promise<ReadonlyMap<string, SetShape>> {
  const sets = new Map(changes.map((change) => [nameOf(change), change]))
  const shapes = new Map<string, SetShape>()
  for (const [name, set] of sets) {
    const sequence = socket.sequences(1)
    const request = { bytes: encodeGetSet(set, sequence), lastSequence: sequence, what: `set ${name}` }
    const [error] = await socket.request(request, (message) => {
      if (message.type === NFT_MSG.newSet) shapes.set(name, readSetShape(message))
    })
    if (error) throw new NftError(`set ${name}: ${errnoName(error.errno)}`, errnoName(error.errno))
  }
  return shapes
}

function encode(socket: NetlinkSocket, changes: readonly SetChange[]): ElementBatch {
  const count = changes.reduce((sum, change) => sum + change.elements.length, 0)
  try {
    // no message holds less than one element
    return encodeElementBatch(changes, socket.sequences(count + 2))
  } catch (error) {
    if (error instanceof ElementError) throw new NftError(error.message, 'EINVAL')
    throw error
  }
}

const nameOf = ({ family, table, set }: ElementChange): string => `${family} ${table} ${set}`

/** Finds the element that the kernel did not like in what was sent: its answer says where it lies. */
function describe(batch: ElementBatch, { sequence, errno, message, offset }: Acknowledgement): NftError {
  const code = errnoName(errno)
  const words = message === undefined ? '' : ` (${message})`
  const cursor = new MessageCursor(batch.bytes)
  while (cursor.next()) {
    if (cursor.sequence !== sequence || sequence === batch.beginSequence) continue
    const attributes = new AttributeCursor(batch.bytes, cursor.start + 4, cursor.end)
    let table = ''
    let set = ''
    let key = ''
    while (attributes.next()) {
      if (attributes.type === 1) table = attributes.string()
      else if (attributes.type === 2) set = attributes.string()
      else if (attributes.type === 3 && offset !== undefined) key = keyAt(attributes, cursor.begin + offset)
    }
    const op = cursor.type === NFT_MSG.newElement ? 'add' : 'delete'
    return new NftError(`${op} ${key === '' ? 'elements' : `element ${key}`} of ${table} ${set}: ${code}${words}`, code)
  }
  return new NftError(`elements: ${code}${words}`, code)
}

/** The key, in hexadecimal digits, of the list entry that begins at `position`; empty when none does. */
function keyAt(list: AttributeCursor, position: number): string {
  const entries = list.nested()
  while (entries.next()) {
    if (entries.start - 4 !== position) continue
    const fields = entries.nested()
    while (fields.next()) {
      const value = fields.nested()
      if (fields.type === 1 && value.next()) return Buffer.from(value.value()).toString('hex')
    }
  }
  return ''
}
