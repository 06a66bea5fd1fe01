# Completion for `npx zx scripts/NAME.mjs …` in bash. In another folder's scripts, and wherever there is nothing to
# offer, the shell completes file names as ever.
_canvas_host_scripts=$(cd -- @scripts@ 2>/dev/null && pwd -P)

_canvas_host() {
  local at=1 current=${COMP_WORDS[COMP_CWORD]} i script word words=()
  COMPREPLY=()
  if [[ ${COMP_WORDS[0]##*/} == npx ]]; then
    [[ ${COMP_WORDS[1]} == zx ]] || return 0
    at=2
  fi
  script=${COMP_WORDS[at]}
  if (( COMP_CWORD == at )); then
    _canvas_host_names "$script"
  elif (( COMP_CWORD > at )) && _canvas_host_is_ours "${script%/*}" && [[ -f $_canvas_host_scripts/${script##*/} ]]; then
    # The shell takes --target=dev for three words.
    [[ $current == = ]] && current=
    for (( i = at + 1; i < COMP_CWORD; i++ )); do
      [[ ${COMP_WORDS[i]} == = ]] || words+=("${COMP_WORDS[i]}")
    done
    while IFS= read -r word; do
      [[ $word == "$current"* ]] && COMPREPLY+=("$word")
    done < <(SHELL=bash node "$_canvas_host_scripts/${script##*/}" --get-yargs-completions "${words[@]}" "$current" </dev/null 2>/dev/null)
  fi
  return 0
}

# The scripts that begin as $1 does.
_canvas_host_names() {
  local file folder=${1%/*} name
  if [[ $1 != */* ]]; then
    [[ scripts == "$1"* ]] || return 0
    folder=scripts
    set -- scripts/
  fi
  _canvas_host_is_ours "$folder" || return 0
  for file in "$_canvas_host_scripts"/*.mjs; do
    name=${file##*/}
    [[ $name == "${1##*/}"* ]] && COMPREPLY+=("$folder/$name")
  done
}

# Does the folder $1 hold the scripts of this checkout?
_canvas_host_is_ours() {
  [[ -n $_canvas_host_scripts && $(cd -- "$1" 2>/dev/null && pwd -P) == "$_canvas_host_scripts" ]]
}

complete -o bashdefault -o default -F _canvas_host npx zx
