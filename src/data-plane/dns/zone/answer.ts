import { parseIp, prefixContains } from '../../../base/ip.ts'
import { CLASS_IN, RCODE, TYPE } from '../wire/codes.ts'
import { nameAt, record, recordData } from '../wire/encode.ts'
import type { DnsRecord, Question } from '../wire/message.ts'
import { isWithin, labelsOf, lowerName, prepend, type WireName } from '../wire/name.ts'
import type { RecordSet } from './compile-service.ts'
import { addressOfReverseName, reverseZoneOf } from './reverse-name.ts'
import type { ZoneSnapshot } from './zone.ts'

/** What the zone has to say. */
export interface ZoneAnswer {
  readonly rcode: number
  readonly answers: readonly DnsRecord[]
  /** The SOA, when there is nothing else to say. */
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
  /** The last name of a chain of aliases, which lies outside: others have to be asked for the rest. */
  readonly chase?: WireName
}

/** Aliases that are followed for one question. */
const MAX_CHAIN = 8

/**
 * Answers a question of class IN from the zone. Pure. @param rotate how far records of one name are turned, so that each comes first in turn
 * @returns undefined when the name is not the zone's: others have to be asked
 */
export function answer(question: Question, zone: ZoneSnapshot, rotate: number = 0): ZoneAnswer | undefined {
  const name = lowerName(question.name)
  if (isWithin(name, zone.options.domain)) return inZone(question, name, zone, rotate)
  if (name.endsWith('\x04arpa\0')) return reverse(question, name, zone)
  return undefined
}

function inZone(question: Question, name: WireName, zone: ZoneSnapshot, rotate: number): ZoneAnswer {
  const { domain } = zone.options
  const { type } = question
  const answers: DnsRecord[] = []
  // the owner's name is as it was asked for
  let owner = question.name
  for (let hop = 0; hop < MAX_CHAIN; hop++) {
    const key = hop === 0 ? name : lowerName(owner)
    if (!isWithin(key, domain)) return { rcode: RCODE.NOERROR, answers, authorities: [], additionals: [], chase: owner }
    if (type === TYPE.SOA && key === domain)
      return { rcode: RCODE.NOERROR, answers: [...answers, soaOf(zone, domain)], authorities: [], additionals: [] }
    const records = zone.find(key) ?? podRecords(key, zone)
    if (!records) return negative(RCODE.NXDOMAIN, answers, soaOf(zone, domain))
    // one of them is enough for who asks for any (RFC 8482)
    const found = type === TYPE.ANY ? [...records.values()][0] : records.get(type)
    if (found) {
      answers.push(...rotated(found, rotate).map((each) => ({ ...each, name: owner })))
      return { rcode: RCODE.NOERROR, answers, authorities: [], additionals: addressesOfTargets(found, zone) }
    }
    const alias = records.get(TYPE.CNAME)?.[0]
    if (!alias) return negative(RCODE.NOERROR, answers, soaOf(zone, domain))
    answers.push({ ...alias, name: owner })
    owner = nameAt(alias.data, 0)
  }
  return { rcode: RCODE.SERVFAIL, answers: [], authorities: [], additionals: [] }
}

const negative = (rcode: number, answers: readonly DnsRecord[], soa: DnsRecord): ZoneAnswer => ({
  rcode,
  answers,
  authorities: [soa],
  additionals: [],
})

/** The SOA of the zone, or of a reverse zone. Its TTL bounds how long "there is none" is kept (RFC 2308, section 3). */
function soaOf(zone: ZoneSnapshot, apex: WireName): DnsRecord {
  const { domain, ttl } = zone.options
  const data = recordData.soa({
    mname: prepend('ns', prepend('dns', domain)),
    rname: prepend('hostmaster', domain),
    serial: zone.serial % 2 ** 32,
    refresh: 7_200,
    retry: 1_800,
    expire: 86_400,
    minimum: ttl,
  })
  return record(apex, TYPE.SOA, ttl, data)
}

function rotated(records: readonly DnsRecord[], by: number): readonly DnsRecord[] {
  const shift = by % records.length
  return shift === 0 ? records : [...records.slice(shift), ...records.slice(0, shift)]
}

/** Addresses that who asked for SRV or NS will ask for next. */
function addressesOfTargets(records: readonly DnsRecord[], zone: ZoneSnapshot): readonly DnsRecord[] {
  const type = records[0]?.type
  const offset = type === TYPE.SRV ? 6 : type === TYPE.NS ? 0 : -1
  if (offset < 0) return []
  const targets = new Set(records.map((each) => lowerName(nameAt(each.data, offset))))
  return [...targets].flatMap((target) => {
    const found = zone.find(target)
    return [...(found?.get(TYPE.A) ?? []), ...(found?.get(TYPE.AAAA) ?? [])]
  })
}

/** Records of names below `pod.<domain>`, which are made of the name alone. */
function podRecords(key: WireName, zone: ZoneSnapshot): RecordSet | undefined {
  const { domain, ttl, pods } = zone.options
  const pod = prepend('pod', domain)
  if (pods === 'disabled' || !isWithin(key, pod)) return undefined
  const labels = labelsOf(key.slice(0, key.length - pod.length) + '\0')
  const [first = ''] = labels
  // the name of a namespace, or nothing in front at all: there may be something below it
  if (labels.length < 2) return new Map()
  if (labels.length > 2) return undefined
  const address = parseIp(
    /^\d+-\d+-\d+-\d+$/.test(first) ? first.replaceAll('-', '.') : /^[\da-f-]+$/.test(first) ? first.replaceAll('-', ':') : '',
  )
  if (!address) return undefined
  const type = address.length === 4 ? TYPE.A : TYPE.AAAA
  return new Map([[type, [record(key, type, ttl, address)]]])
}

function reverse(question: Question, name: WireName, zone: ZoneSnapshot): ZoneAnswer | undefined {
  const targets = zone.pointersOf(name)
  const { ttl, reverseRanges = [] } = zone.options
  const address = addressOfReverseName(name)
  const range = address && reverseRanges.find((prefix) => prefixContains(prefix, address))
  if (targets.length > 0 && (question.type === TYPE.PTR || question.type === TYPE.ANY)) {
    const answers = targets.map((target) => record(question.name, TYPE.PTR, ttl, recordData.name(target)))
    return { rcode: RCODE.NOERROR, answers, authorities: [], additionals: [] }
  }
  if (!range) return undefined
  return negative(targets.length > 0 ? RCODE.NOERROR : RCODE.NXDOMAIN, [], soaOf(zone, reverseZoneOf(range)))
}

/** Whether a question can be answered at all by looking at names. */
export const isOrdinary = (question: Question): boolean =>
  question.class === CLASS_IN && question.type !== TYPE.AXFR && question.type !== TYPE.IXFR && question.type !== TYPE.OPT
