# Ends the process groups of a program that died without ending them.
#
# Standard input says what runs: "+ GROUP", "- GROUP" and, when the program leaves in order, ".". Its end
# means that the program is no more, however it died. $1 is in the environment of all that it started:
# what left its group is found by that where there is a /proc.

sweep() { # signal: to all that is left; false where nothing is
  left=false
  for group in $groups; do
    kill -s "$1" -- "-$group" && left=true
  done
  for process in $(grep -lsF -e "$mark" /proc/[0-9]*/environ); do
    process=${process%/environ}
    kill -s "$1" "${process##*/}" && left=true
  done
  $left
}

watch() {
  groups=' ' in_order=false
  while read -r what group; do
    case $what in
      +) groups="$groups$group " ;;
      -) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
      .) in_order=true ;;
    esac
  done
  if $in_order && [ "$groups" = ' ' ]; then exit; fi
  # what has just been started may bear no mark yet: the kernel gives a program its environment after it has
  # closed the pipe that ends here, so one look that finds nothing tells nothing
  signal=TERM rounds=0 empty=0
  while [ $rounds -lt 30 ] && [ $empty -lt 10 ]; do
    if sweep $signal; then signal=0 empty=0; else empty=$((empty + 1)); fi
    sleep 0.1 || sleep 1
    rounds=$((rounds + 1))
    if [ $rounds -ge 20 ]; then signal=KILL; fi
  done
}

mark=$1
trap '' HUP INT TERM
exec 3<&0 # what runs in the background reads nothing from 0
watch <&3 3<&- & # nobody's child: the program need not wait for it, and does not find it when it waits for all
