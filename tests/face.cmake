# The watcher's status server, asked by curl and looked at in a browser.
function(add_face_test name)
    add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${name}.sh)
    set_tests_properties(${name} PROPERTIES LABELS face TIMEOUT 300 SKIP_RETURN_CODE 77
        ENVIRONMENT "E2E_BUILD=${CMAKE_BINARY_DIR}")
endfunction()

add_face_test(face_page)
add_face_test(monitoring)
add_face_test(webhook)
add_face_test(face_http)
