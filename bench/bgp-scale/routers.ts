// The routers under test, each told the same: two neighbours with an import policy, a third that gets everything.
import { spawnSync, type ChildProcess } from 'node:child_process'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PREFERRED_COMMUNITY, REJECTED_AS } from './generate-feed.ts'
import { NEIGHBOUR_AS, LOCAL_AS } from './addresses.ts'

/** Starts a command in the namespace of the router. */
export type Start = (argv: readonly string[]) => ChildProcess

export interface RouterUnderTest {
  readonly name: string
  /** What is missing on this machine, or undefined. */
  problem(): string | undefined
  version(): string
  start(dir: string, start: Start): ChildProcess
}

const [A, B, C] = NEIGHBOUR_AS
const community = PREFERRED_COMMUNITY.join(':')

function lacks(binary: string): string | undefined {
  return spawnSync(binary, ['--version']).error ? `${binary} is not installed` : undefined
}

function firstLine(binary: string): string {
  const { stdout, stderr } = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  return (stdout + stderr).split('\n')[0] ?? ''
}

const biplane: RouterUnderTest = {
  name: 'biplane',
  problem: () => undefined,
  version: () => `biplane on Node ${process.version}`,
  start: (_, start) => start([process.execPath, ...process.execArgv, process.argv[1] as string, 'router']),
}

const bird: RouterUnderTest = {
  name: 'BIRD',
  problem: () => lacks('bird'),
  version: () => firstLine('bird'),
  start(dir, start) {
    const peer = (name: string, last: number, as: number, channel: string): string =>
      `protocol bgp ${name} { local 10.99.0.1 as ${LOCAL_AS}; neighbor 10.99.0.${last} as ${as}; passive; ipv4 { ${channel} }; }`
    const config = join(dir, 'bird.conf')
    const lines = [
      'router id 10.99.0.1;',
      'protocol device {}',
      'filter incoming {',
      '  if net ~ [ 10.0.0.0/8+, 192.168.0.0/16+, 0.0.0.0/0{25,32} ] then reject;',
      `  if bgp_path ~ [= * ${REJECTED_AS} * =] then reject;`,
      `  if (${PREFERRED_COMMUNITY.join(',')}) ~ bgp_community then bgp_local_pref = 200;`,
      '  accept;',
      '}',
      peer('a', 2, A, 'import filter incoming; export none;'),
      peer('b', 3, B, 'import filter incoming; export none;'),
      peer('c', 4, C, 'import none; export all;'),
    ]
    writeFileSync(config, `${lines.join('\n')}\n`)
    return start(['bird', '-f', '-c', config, '-s', join(dir, 'bird.ctl'), '-P', join(dir, 'bird.pid')])
  },
}

const frr: RouterUnderTest = {
  name: 'FRR',
  problem: () => lacks('/usr/lib/frr/bgpd'),
  version: () => firstLine('/usr/lib/frr/bgpd'),
  start(dir, start) {
    const lines = [
      // first: route maps that are named before they are there count only after some seconds
      'ip prefix-list BOGONS permit 10.0.0.0/8 le 32',
      'ip prefix-list BOGONS permit 192.168.0.0/16 le 32',
      'ip prefix-list BOGONS permit 0.0.0.0/0 ge 25',
      `bgp as-path access-list UNWANTED permit _${REJECTED_AS}_`,
      `bgp community-list standard PREFERRED permit ${community}`,
      'route-map INCOMING deny 5',
      ' match ip address prefix-list BOGONS',
      'route-map INCOMING deny 10',
      ' match as-path UNWANTED',
      'route-map INCOMING permit 20',
      ' match community PREFERRED',
      ' set local-preference 200',
      'route-map INCOMING permit 30',
      'route-map ALL permit 10',
      'route-map NOTHING deny 10',
      `router bgp ${LOCAL_AS}`,
      ' bgp router-id 10.99.0.1',
      ' bgp bestpath compare-routerid',
      ...[2, 3, 4].flatMap((last, i) => [
        ` neighbor 10.99.0.${last} remote-as ${NEIGHBOUR_AS[i]}`,
        ` neighbor 10.99.0.${last} passive`,
        // without zebra it knows no interfaces, and takes the neighbours for far ones
        ` neighbor 10.99.0.${last} disable-connected-check`,
        ` neighbor 10.99.0.${last} advertisement-interval 0`,
      ]),
      ' address-family ipv4 unicast',
      ...[2, 3, 4].flatMap((last) => [
        `  neighbor 10.99.0.${last} route-map ${last === 4 ? 'NOTHING' : 'INCOMING'} in`,
        `  neighbor 10.99.0.${last} route-map ${last === 4 ? 'ALL' : 'NOTHING'} out`,
      ]),
      ' exit-address-family',
    ]
    const config = join(dir, 'bgpd.conf')
    writeFileSync(config, `${lines.join('\n')}\n`)
    const run = join(dir, 'frr')
    mkdirSync(run)
    const [user, group] = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, 'frr'], { encoding: 'utf8' }).stdout))
    for (const path of [dir, run, config]) chownSync(path, user ?? 0, group ?? 0)
    const paths = ['-f', config, '-i', join(run, 'bgpd.pid'), '--vty_socket', run, '-z', join(run, 'zserv')]
    return start(['/usr/lib/frr/bgpd', ...paths, '-n', '-Z', '-l', '10.99.0.1', '-P', '0', '--log', 'stdout', '--log-level', 'errors'])
  },
}

const gobgp: RouterUnderTest = {
  name: 'GoBGP',
  problem: () => lacks('gobgpd'),
  version: () => firstLine('gobgpd'),
  start(dir, start) {
    const neighbours = [2, 3, 4].flatMap((last, i) => [
      '[[neighbors]]',
      '[neighbors.config]',
      `neighbor-address = "10.99.0.${last}"`,
      `peer-as = ${NEIGHBOUR_AS[i]}`,
      '[neighbors.transport.config]',
      'passive-mode = true',
    ])
    const lines = [
      '[global.config]',
      `as = ${LOCAL_AS}`,
      'router-id = "10.99.0.1"',
      'local-address-list = ["10.99.0.1"]',
      '[global.route-selection-options.config]',
      'external-compare-router-id = true',
      '[global.apply-policy.config]',
      'import-policy-list = ["incoming"]',
      'default-import-policy = "accept-route"',
      'export-policy-list = ["outgoing"]',
      'default-export-policy = "accept-route"',
      ...neighbours,
      '[[defined-sets.prefix-sets]]',
      'prefix-set-name = "bogons"',
      ...[
        ['10.0.0.0/8', '8..32'],
        ['192.168.0.0/16', '16..32'],
        ['0.0.0.0/0', '25..32'],
      ].flatMap(([prefix, range]) => [
        '[[defined-sets.prefix-sets.prefix-list]]',
        `ip-prefix = "${prefix}"`,
        `masklength-range = "${range}"`,
      ]),
      '[[defined-sets.neighbor-sets]]',
      'neighbor-set-name = "feeders"',
      'neighbor-info-list = ["10.99.0.2", "10.99.0.3"]',
      '[[defined-sets.bgp-defined-sets.as-path-sets]]',
      'as-path-set-name = "unwanted"',
      `as-path-list = ["_${REJECTED_AS}_"]`,
      '[[defined-sets.bgp-defined-sets.community-sets]]',
      'community-set-name = "preferred"',
      `community-list = ["${community}"]`,
      '[[policy-definitions]]',
      'name = "incoming"',
      '[[policy-definitions.statements]]',
      '[policy-definitions.statements.conditions.match-prefix-set]',
      'prefix-set = "bogons"',
      '[policy-definitions.statements.actions]',
      'route-disposition = "reject-route"',
      '[[policy-definitions.statements]]',
      '[policy-definitions.statements.conditions.bgp-conditions.match-as-path-set]',
      'as-path-set = "unwanted"',
      '[policy-definitions.statements.actions]',
      'route-disposition = "reject-route"',
      '[[policy-definitions.statements]]',
      '[policy-definitions.statements.conditions.bgp-conditions.match-community-set]',
      'community-set = "preferred"',
      '[policy-definitions.statements.actions]',
      'route-disposition = "accept-route"',
      '[policy-definitions.statements.actions.bgp-actions]',
      'set-local-pref = 200',
      '[[policy-definitions]]',
      'name = "outgoing"',
      '[[policy-definitions.statements]]',
      '[policy-definitions.statements.conditions.match-neighbor-set]',
      'neighbor-set = "feeders"',
      '[policy-definitions.statements.actions]',
      'route-disposition = "reject-route"',
    ]
    const config = join(dir, 'gobgpd.toml')
    writeFileSync(config, `${lines.join('\n')}\n`)
    return start(['gobgpd', '-t', 'toml', '-f', config, '-l', 'error', '--api-hosts', '127.0.0.1:50051'])
  },
}

export const ROUTERS: readonly RouterUnderTest[] = [biplane, bird, frr, gobgp]
