// BGP at the size of the whole table: learn, decide and hold 1,000,000 prefixes from 2 neighbours with an import policy, and send them to a third; against
// BIRD, FRR and GoBGP in the same run, interleaved. Goal: within 1.5x of BIRD, ahead of GoBGP and FRR, <= 600 MB.
// Needs root, iproute2, nftables (for the lab); bird2, frr, gobgpd for the peers. Run: node scripts/bench.mjs bgp-scale [PREFIXES] [ROUNDS] [NAMES]
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNetworkLab } from '../src/testing/network-lab/index.ts'
import { neighbourAddress, NEIGHBOUR_AS, ROUTER_ADDRESS } from './bgp-scale/addresses.ts'
import { type Feeds, generateFeeds } from './bgp-scale/generate-feed.ts'
import { type Received, runNeighbours } from './bgp-scale/neighbours.ts'
import { runRouter } from './bgp-scale/router.ts'
import { ROUTERS, type RouterUnderTest } from './bgp-scale/routers.ts'
import { quantile, report, spread, table } from './harness/report.ts'
import { usageOf } from './harness/usage.ts'

/** Longest for one router to do the work once. */
const LIMIT_MS = 600_000

interface Round extends Received {
  readonly cpuMs: number
  readonly rssMb: number
  readonly peakMb: number
}

async function measure(router: RouterUnderTest, feeds: Feeds, dir: string): Promise<Round> {
  const lab = await createNetworkLab()
  const own = mkdtempSync(join(dir, 'router-'))
  try {
    const [host, outside] = [await lab.host('router'), await lab.host('neighbours')]
    await lab.segment([
      { host, device: 'eth0', addresses: [`${ROUTER_ADDRESS}/24`] },
      { host: outside, device: 'eth0', addresses: NEIGHBOUR_AS.map((_, i) => `${neighbourAddress(i)}/24`) },
    ])
    const child = router.start(own, (argv) => host.spawn(argv, { stdio: ['ignore', 'ignore', 'inherit'] }))
    const argv = [process.execPath, process.argv[1] as string, 'neighbours', dir, String(feeds.expected)]
    const received = await outside.must(argv, { timeoutMs: LIMIT_MS + 60_000 })
    const { cpuMs, rssMb, peakRssMb: peakMb } = usageOf(child.pid as number)
    return { ...(JSON.parse(received) as Received), cpuMs, rssMb, peakMb }
  } finally {
    await lab.remove()
  }
}

function lines(feeds: Feeds, prefixes: number, rounds: number, results: ReadonlyMap<RouterUnderTest, readonly Round[]>): string[] {
  const seconds = (router: RouterUnderTest): number[] => (results.get(router) ?? []).map(({ ms }) => ms / 1000)
  const [ours, ...others] = [...results.keys()] as [RouterUnderTest, ...RouterUnderTest[]]
  const mine = quantile(seconds(ours), 0.5)
  const digest = results.get(ours)?.[0]?.digest
  const verdicts = others.map((router) => {
    const ratio = quantile(seconds(router), 0.5) / mine
    const goal = router.name === 'BIRD' ? 1 / 1.5 : 1
    const same = results.get(router)?.every((round) => round.digest === digest) ? 'the same routes chosen' : 'other routes chosen'
    return `- against ${router.name}: **${ratio.toFixed(2)}x**${ratio >= goal ? '' : ', **missed**'} (goal >= ${goal.toFixed(2)}x; above 1 is faster), ${same}`
  })
  const peak = Math.max(...(results.get(ours) ?? []).map(({ peakMb }) => peakMb))
  const set = (i: number): string => `${feeds.feeds[i]?.updates} UPDATEs (${feeds.feeds[i]?.attributeSets} attribute sets)`
  return [
    '# The whole table over BGP',
    '',
    ...verdicts,
    `- memory: **${(600 / peak).toFixed(2)}x**${peak <= 600 ? '' : ', **missed**'}: ${peak.toFixed(0)} MB at most, goal <= 600 MB`,
    '',
    ...table(
      ['router', 's to the last prefix at the third neighbour', 'CPU s', 'MB at the end', 'MB at most', 'announcements sent'],
      [...results].map(([router, all]) => [
        router.version(),
        spread(seconds(router), 2),
        spread(
          all.map(({ cpuMs }) => cpuMs / 1000),
          1,
        ),
        spread(all.map(({ rssMb }) => rssMb)),
        spread(all.map(({ peakMb }) => peakMb)),
        spread(all.map(({ announcements }) => announcements)),
      ]),
    ),
    '',
    `${prefixes} IPv4 prefixes from each of two external neighbours, in ${set(0)} and ${set(1)}, poured out at once over TCP between two network namespaces;`,
    'paths, MEDs and communities differ between the neighbours, so that selection decides. The import policy rejects what is too long or private, rejects',
    'an AS in the path (0.5 % of the updates) and prefers a community (5 %). Clock: from the first byte sent until the last UPDATE arrived at the third',
    `neighbour, which has ${feeds.expected} prefixes then. Ties go by router id in all routers; none writes to a forwarding table. Medians of ${rounds} interleaved rounds (min to max).`,
  ]
}

async function main(prefixes: number, rounds: number, names: string | undefined): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bgp-scale-'))
  // FRR gives up root, and has to find its files
  chmodSync(dir, 0o711)
  try {
    const feeds = generateFeeds({ prefixes, neighbours: NEIGHBOUR_AS.slice(0, 2) })
    for (const [i, { bytes }] of feeds.feeds.entries()) writeFileSync(join(dir, `feed-${i}.bin`), bytes)
    const results = new Map<RouterUnderTest, Round[]>()
    const failures: string[] = []
    for (let round = 0; round < rounds; round++) {
      for (const router of ROUTERS) {
        if (names && !names.split(',').includes(router.name)) continue
        const problem = router.problem()
        if (problem) {
          process.stderr.write(`${router.name} left out: ${problem}\n`)
          continue
        }
        try {
          const result = await measure(router, feeds, dir)
          process.stderr.write(`${router.name}: ${JSON.stringify(result)}\n`)
          results.set(router, [...(results.get(router) ?? []), result])
        } catch (error) {
          // one that gives up does not take the others' figures with it
          process.stderr.write(`${router.name}: ${(error as Error).message}\n`)
          failures.push(`${router.name} did not do the work in round ${round + 1}: ${(error as Error).message.split('\n')[0]}`)
        }
      }
    }
    report('bgp-scale', [...lines(feeds, prefixes, rounds, results), ...failures.flatMap((text) => ['', text])])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const [mode = '1000000', second = '3', third] = process.argv.slice(2)
if (mode === 'router') runRouter()
else if (mode === 'neighbours') process.stdout.write(JSON.stringify(await runNeighbours(second, Number(third), LIMIT_MS)))
else await main(Number(mode), Number(second), third)
