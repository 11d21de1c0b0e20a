/**
 * Replaces every `$(NAME)` by what `lookup` knows. An unknown name stays as written, `$$` stands for one `$` (so `$$(NAME)` gives the text
 * `$(NAME)`), and what replaces a name is not expanded again. Source: k8s.io/kubernetes third_party/forked/golang/expansion.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  if (!text.includes('$')) return text
  let out = ''
  let at = 0
  while (at < text.length) {
    const dollar = text.indexOf('$', at)
    if (dollar === -1 || dollar === text.length - 1) return out + text.slice(at)
    out += text.slice(at, dollar)
    const close = text[dollar + 1] === '(' ? text.indexOf(')', dollar + 2) : -1
    if (close !== -1) {
      const name = text.slice(dollar + 2, close)
      out += lookup(name) ?? `$(${name})`
      at = close + 1
    } else {
      // `$$` is an escaped dollar; any other character after a dollar is plain text
      out += text[dollar + 1] === '$' ? '$' : text.slice(dollar, dollar + 2)
      at = dollar + 2
    }
  }
  return out
}

/** `expand` over a list, such as a command line, with the variables of `env`. */
export function expandAll(texts: readonly string[], env: Readonly<Record<string, string>>): string[] {
  return texts.map((text) => expand(text, (name) => (Object.hasOwn(env, name) ? env[name] : undefined)))
}
