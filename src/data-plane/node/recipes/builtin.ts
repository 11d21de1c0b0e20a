import type { ImageRecipe, ImageRecipeSpec } from '../../../api/biplane.dev/v1alpha1/image-recipe.ts'
import { PROXY_IMAGE } from '../../../policy/traffic/model/index.ts'

/** Annotation of a built-in recipe that cannot be used here: the program it needs. */
export const MISSING_PROGRAM = 'biplane.dev/missing-program'

const PRIORITY = -1000

/**
 * The recipes every node knows, weaker than any ImageRecipe. Servers bind the pod's own address, so that replicas do not clash on one machine.
 * @param available whether this node has a program, by name
 * @param proxy what sidecars and gateways are run by
 */
export function builtinRecipes(available: (program: string) => boolean, proxy?: ProxyProgram): readonly ImageRecipe[] {
  const own: readonly Builtin[] = proxy
    ? [{ name: 'proxy', images: named(PROXY_IMAGE), command: [...proxy.command], env: { ...proxy.env } }]
    : []
  return [...own, ...TABLE].map(({ name, program, ...spec }) => ({
    apiVersion: 'biplane.dev/v1alpha1',
    kind: 'ImageRecipe',
    metadata: {
      name: `builtin-${name}`,
      ...(program === undefined || available(program) ? {} : { annotations: { [MISSING_PROGRAM]: program } }),
    },
    spec: { ...spec, images: [...spec.images], priority: PRIORITY },
  }))
}

/** The program of sidecars and gateways: this very one. */
export interface ProxyProgram {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

interface Builtin extends ImageRecipeSpec {
  readonly name: string
  /** What must be installed. */
  readonly program?: string
}

/** An official image under the names people write: bare, `library/`, with a registry, with or without tag or digest. */
function named(...names: readonly string[]): string[] {
  return names.flatMap((name) => [name, `${name}:*`, `${name}@*`, `*/${name}`, `*/${name}:*`, `*/${name}@*`])
}

const TABLE: readonly Builtin[] = [
  { name: 'host', images: ['host', 'host:*'] },
  // images that are nothing but a shell and its tools: the host has those too
  { name: 'shell', images: named('busybox', 'alpine', 'debian', 'ubuntu', 'bash'), program: 'sh' },
  { name: 'node', images: named('node'), program: 'node', command: ['node'] },
  { name: 'python', images: named('python'), program: 'python3', command: ['python3'] },
  { name: 'pause', images: named('pause', 'pause-amd64', 'pause-arm64'), program: 'sleep', command: ['sleep', '2147483647'] },
  {
    name: 'redis',
    images: named('redis', 'valkey'),
    program: 'redis-server',
    command: ['redis-server', '--bind', '$(BIPLANE_POD_IP)', '--protected-mode', 'no', '--dir', '$(BIPLANE_FILES)', '--save', ''],
  },
  {
    name: 'memcached',
    images: named('memcached'),
    program: 'memcached',
    command: ['memcached', '-l', '$(BIPLANE_POD_IP)'],
  },
  {
    name: 'nginx',
    images: named('nginx', 'nginx-unprivileged'),
    program: 'nginx',
    // nginx cannot read variables in its configuration, and must not listen for the pods beside it
    command: [
      'sh',
      '-c',
      'cd "$BIPLANE_FILES" && sed "s/@address@/$BIPLANE_POD_IP/" nginx.conf.in > nginx.conf && exec nginx -e stderr -p "$BIPLANE_FILES" -c nginx.conf "$@"',
      'nginx',
    ],
    args: ['-g', 'daemon off;'],
    files: [{ path: 'nginx.conf.in', content: nginxConf() }],
  },
]

function nginxConf(): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path tmp_${name};`)
  return `pid nginx.pid;
worker_processes 1;
events {}
http {
${temporary.join('\n')}
  default_type application/octet-stream;
  types { text/html html htm; text/css css; text/plain txt; text/javascript js mjs; application/json json; image/svg+xml svg; image/png png; }
  access_log /dev/stdout;
  server {
    listen @address@:80;
    root /usr/share/nginx/html;
  }
}
`
}
