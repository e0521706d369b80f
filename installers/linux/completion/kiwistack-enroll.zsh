#compdef kiwistack-enroll

local -a commands
commands=(
  'enroll:enroll this laptop, or go on with an enrollment that was cut off'
  'status:show what is enrolled and whether every part works'
  'check:ask the slice about this laptop, and tell it what waits to be told'
  'uninstall:take the enrollment away from this laptop'
  'help:display help for a command'
)

local context state state_descr line
typeset -A opt_args
_arguments -C \
  '(- *)'{-V,--version}'[output the version number]' \
  '(- *)'{-h,--help}'[display help]' \
  '1: :->command' \
  '*:: :->arguments' && return 0

case $state in
  command) _describe -t commands command commands ;;
  arguments)
    case $line[1] in
      enroll)
        _arguments \
          '--serial[use the YubiKey with this serial number]:serial number: ' \
          '--wait[how long to wait for a YubiKey]:seconds: ' \
          '--pin-fd[read the PIN from this open file descriptor]:descriptor: ' \
          "--msp-roots[PEM with the provider's roots]:file:_files" \
          '--json[one event a line on stdout]' \
          '(- *)'{-h,--help}'[display help]'
        ;;
      status) _arguments '--json[the same for programs]' '(- *)'{-h,--help}'[display help]' ;;
      check) _arguments '--json[the result for programs]' '(- *)'{-h,--help}'[display help]' ;;
      uninstall) _arguments '--json[one event a line on stdout]' '(- *)'{-h,--help}'[display help]' ;;
      help) _describe -t commands command commands ;;
    esac
    ;;
esac
