import type { CliContext } from '../context.ts'

/** `biplane completion`: a script that asks `biplane __complete` for the words that may come next. */
export async function runCompletion(context: CliContext, shell: 'bash' | 'zsh' | 'fish'): Promise<void> {
  context.out.write(SCRIPTS[shell])
}

const SCRIPTS = {
  bash: `# bash completion of biplane; load it with: source <(biplane completion bash)
_biplane() {
  local line=\${COMP_LINE:0:COMP_POINT} current=\${COMP_WORDS[COMP_CWORD]} words
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  # ":" and "=" are word breaks of readline, not of biplane
  local IFS=$'\\n'
  COMPREPLY=($(biplane __complete -- "\${words[@]}" 2>/dev/null | cut -f1))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then
    compopt -o default 2>/dev/null
  elif [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]]; then
    compopt -o nospace 2>/dev/null
  fi
}
complete -F _biplane biplane
`,
  zsh: `#compdef biplane
# zsh completion of biplane; load it with: source <(biplane completion zsh)
_biplane() {
  local -a lines descriptions
  lines=("\${(@f)$(biplane __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  local line
  for line in $lines; do
    [[ -z $line ]] && continue
    descriptions+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#descriptions} )); then _describe biplane descriptions; else _files; fi
}
compdef _biplane biplane
`,
  fish: `# fish completion of biplane; load it with: biplane completion fish | source
function __biplane_complete
  set -l words (commandline -opc) (commandline -ct)
  biplane __complete -- $words[2..-1] 2>/dev/null
end
complete -c biplane -f -a '(__biplane_complete)'
complete -c biplane -n '__fish_contains_opt -s f filename' -F
`,
} as const
