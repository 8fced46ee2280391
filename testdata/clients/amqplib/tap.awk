# Prints "ok NAME" or "not ok NAME", tab-separated, for each innermost point.
# node --test indents a group's points by four and writes "# Subtest: NAME"
# before each; mocha writes all of them flat.
/^ *# Subtest: / {
  match($0, /^ */); depth = RLENGTH / 4
  name = $0; sub(/^ *# Subtest: /, "", name)
  for (i = depth + 1; i < 20; i++) delete group[i]
  group[depth] = name
  if (depth > 0) parent[depth - 1] = 1
  delete parent[depth]
}
/^ *(not )?ok [0-9]+/ {
  match($0, /^ */); depth = RLENGTH / 4
  verdict = ($0 ~ /^ *not ok/) ? "not ok" : "ok"
  name = $0; sub(/^ *(not )?ok [0-9]+ (- )?/, "", name); sub(/ +# .*$/, "", name)
  if (depth in parent) { delete parent[depth]; next }
  prefix = ""
  for (i = 0; i < depth; i++) prefix = prefix group[i] " "
  print verdict "\t" prefix name
}
