# Rooms are OBJECT libraries: a static archive would let the linker drop files whose only use is to register themselves.
# Objects reach direct dependents only, so every program names all the rooms it is made of.

# bs_room(<target> FOLDERS ... [LINKS ...]): all .cpp of the folders and, where CUDA is in the build, all .cu and *_cuda.cpp. Less the other
# suffix-gated ones, which are plug-ins.
function(bs_room target)
  cmake_parse_arguments(ROOM "" "" "FOLDERS;LINKS" ${ARGN})
  set(sources)
  foreach(folder IN LISTS ROOM_FOLDERS)
    file(GLOB found CONFIGURE_DEPENDS ${folder}/*.cpp)
    list(APPEND sources ${found})
    if(BENCH_SCALE_HAVE_CUDA)
      file(GLOB found CONFIGURE_DEPENDS ${folder}/*.cu)
      list(FILTER found EXCLUDE REGEX "_sm90_cuda\\.cu$")  # of one architecture only: kernels/CMakeLists.txt
      list(APPEND sources ${found})
    endif()
  endforeach()
  list(FILTER sources EXCLUDE REGEX "_torch\\.cpp$")
  foreach(feature CUDA NCCL)
    if(NOT BENCH_SCALE_HAVE_${feature})
      string(TOLOWER "_${feature}\\.cpp$" gated)
      list(FILTER sources EXCLUDE REGEX "${gated}")
    endif()
  endforeach()
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  add_library(${target} OBJECT ${sources})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC ${ROOM_LINKS} PRIVATE bench_warnings)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

# bs_program(<target> SOURCES ... ROOMS ...): an executable that plug-ins can resolve their symbols from.
function(bs_program target)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;ROOMS" ${ARGN})
  add_executable(${target} ${PROGRAM_SOURCES})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${PROGRAM_ROOMS} bench_warnings ${CMAKE_DL_LIBS})
  if("bench_kernels" IN_LIST PROGRAM_ROOMS)
    target_link_libraries(${target} PRIVATE $<TARGET_NAME_IF_EXISTS:bench_kernels_sm90>)
  endif()
  set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
endfunction()

# bs_sm90_objects(<target> <source> ...): Hopper's own instructions, which compile for sm_90a alone. What ptxas makes slow fails to build.
function(bs_sm90_objects target)
  add_library(${target} OBJECT ${ARGN})
  set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES 90a POSITION_INDEPENDENT_CODE ON
    CUDA_COMPILER_LAUNCHER "sh;${CMAKE_SOURCE_DIR}/cmake/refuse_serialised_products.sh;${CMAKE_CUDA_COMPILER_LAUNCHER}")
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE bench_core bench_device bench_warnings)
endfunction()
