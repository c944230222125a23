# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for framekeyctl(1). The tool itself says what can stand where; names of sessions and participants
# come from the daemon, and in the end from strangers: they are never expanded, and are quoted for the command line.

_framekeyctl() {
        # shellcheck disable=SC2034 # _init_completion sets some that are not used here
        local cur prev words cword split i kind value head=''
        local -a values=()

        # "=" and ":" do not end a word for us.
        _init_completion -n =: 2>/dev/null || return

        # As the tool will get them. What has yet to be expanded stays as it is.
        for ((i = 1; i <= cword; i++)); do
                words[i]=${words[i]//[\\\'\"]/}
        done
        {
                read -r kind
                while IFS= read -r value; do
                        values+=("${value%%$'\t'*}")
                done
        } < <(framekeyctl __complete "${words[@]:1:cword}" 2>/dev/null)

        # Readline replaces only what follows the last of its own word breaks.
        [[ $cur == *[=:]* ]] && head=${cur%"${cur##*[=:]}"}
        case $kind in
        :files | :directories)
                cur=${cur#"$head"}
                if [[ $kind == :directories ]]; then _filedir -d; else _filedir; fi
                ;;
        :hosts)
                _known_hosts_real -- "${cur#"$head"}"
                ;;
        :words)
                for value in "${values[@]}"; do
                        [[ $value == "${words[cword]}"* ]] || continue
                        value=${value#"$head"}
                        # Behind an open quote it goes as it is.
                        case $cur in \'* | \"*) ;; *) printf -v value %q "$value" ;; esac
                        COMPREPLY+=("$value")
                done
                # %q knows nothing to do for these, but readline would put a space behind.
                [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
                ;;
        esac
} && complete -F _framekeyctl framekeyctl
