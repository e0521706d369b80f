# shellcheck shell=bash
# Where people sign in to applications with the ticket of their laptop, for `npm run test:single-sign-on`: Keycloak as its makers publish it
# for Maven, pinned by its hash, in .cache/keycloak, and Debian's Java for it, unpacked into .cache/java. Maven takes both its mirror and
# its proxy from the settings of whoever runs this. prepare-machine.sh sources this file.

keycloak_artifact=org.keycloak:keycloak-quarkus-dist:26.7.3:tar.gz
keycloak_sha256=77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47
keycloak_folder=$cache/keycloak
maven_copy=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy
java_packages=(openjdk-17-jre-headless)
java_folder=$cache/java

# keycloak_ready: true also where nobody signs in there
keycloak_ready() {
  if [[ $purpose != single-sign-on ]]; then return 0; fi
  [[ $(cat "$keycloak_folder/artifact" 2>/dev/null) == "$keycloak_artifact $keycloak_sha256" ]]
}

# java_ready: true also where nothing needs it
java_ready() {
  if [[ $purpose != single-sign-on ]]; then return 0; fi
  has_packages "$java_folder" "${java_packages[@]}"
}

provide_java() {
  unpack_packages "$java_folder" Java "${java_packages[@]}"
  keep_packages "$java_folder" "${java_packages[@]}"
}

provide_keycloak() {
  local making=$keycloak_folder.making archive
  say "takes Keycloak out of $keycloak_artifact (176 MB)"
  rm -rf "$keycloak_folder" "$making" && mkdir -p "$making/dist" "$making/download"
  # What Maven itself needs for this, of which nothing is pinned, goes into a repository that is thrown away.
  try_step 'mvn dependency:copy keycloak' 'see what Maven said' env -C "$making/download" \
    mvn --batch-mode --quiet -Dmaven.repo.local="$making/download/repository" "$maven_copy" -Dartifact="$keycloak_artifact" -DoutputDirectory="$making"
  archive=$(find "$making" -maxdepth 1 -name 'keycloak-*.tar.gz')
  printf '%s  %s\n' "$keycloak_sha256" "$archive" | sha256sum --check --status ||
    fail 8 "$keycloak_artifact is not the one that was pinned" 'nothing of it was run'
  run_step 'unpack it' tar -xzf "$archive" -C "$making/dist" --no-same-owner --strip-components=1 ||
    fail 8 'Keycloak could not be unpacked' "see $log"
  rm -rf "$archive" "$making/download"
  printf '%s' "$keycloak_artifact $keycloak_sha256" >"$making/artifact"
  mv "$making" "$keycloak_folder"
}
