# The jibri image. Built and started by `scripts/test --image` only (label image): it takes minutes
# and packages that nothing else needs.
foreach(release bullseye trixie)
    add_test(NAME image_${release} COMMAND ${CMAKE_CURRENT_LIST_DIR}/image.sh ${release})
    set_tests_properties(image_${release} PROPERTIES LABELS image TIMEOUT 1800 SKIP_RETURN_CODE 77
        RESOURCE_LOCK image ENVIRONMENT "E2E_BUILD=${CMAKE_BINARY_DIR}")
endforeach()

# Its start-up files, in a made-up root directory.
add_test(NAME image_scripts COMMAND ${CMAKE_CURRENT_LIST_DIR}/image_scripts.sh)
set_tests_properties(image_scripts PROPERTIES TIMEOUT 120)
