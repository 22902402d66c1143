# find_package(delegated-tenant CONFIG) gives the imported target delegated-tenant::delegated-tenant.
if(TARGET delegated-tenant::delegated-tenant)
  return()
endif()
get_filename_component(_root "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
add_library(delegated-tenant::delegated-tenant SHARED IMPORTED)
set_target_properties(delegated-tenant::delegated-tenant PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_root}/include")
if(WIN32)
  # The other is for Microsoft's linker and those like it.
  if(MINGW)
    set(_import libdelegated_tenant.dll.a)
  else()
    set(_import delegated_tenant.lib)
  endif()
  set_target_properties(delegated-tenant::delegated-tenant PROPERTIES
    IMPORTED_LOCATION "${_root}/bin/delegated_tenant.dll"
    IMPORTED_IMPLIB "${_root}/lib/${_import}")
elseif(APPLE)
  set_target_properties(delegated-tenant::delegated-tenant PROPERTIES
    IMPORTED_LOCATION "${_root}/lib/libdelegated_tenant.dylib"
    IMPORTED_SONAME "@rpath/libdelegated_tenant.dylib")
else()
  set_target_properties(delegated-tenant::delegated-tenant PROPERTIES
    IMPORTED_LOCATION "${_root}/lib/libdelegated_tenant.so"
    IMPORTED_NO_SONAME TRUE)
endif()
unset(_import)
unset(_root)
