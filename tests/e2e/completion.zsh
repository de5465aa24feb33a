# completion.zsh - what zsh makes of a line and the tab key, until that has TEXT in it:
#
#   zsh -f completion.zsh DIRECTORY LINE TEXT
#
# DIRECTORY holds the completion's file. zsh completes on a terminal only, so it is given one.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1='> '; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' menu no; print READ''Y"
zpty -r shell text '*READY*'
zpty -n -w shell "$2"$'\t'
seen=
for try in {1..100}; do
	while zpty -r -t shell text; do seen+=$text; done
	[[ $seen == *$3* ]] && break
	sleep 0.1
done
print -r -- "$seen"
zpty -d shell
