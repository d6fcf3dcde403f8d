# detent_table(NAME FOLDER HEADER ENTRY PREFIX ROW): writes NAME_table.cpp, the function all_NAME() that lists one entry
# for every .cpp of FOLDER: for qat/methods/lsq.cpp the row {"lsq", &method_lsq}. Self-registering objects would vanish
# from a static library at link time; a file without its entry is a link error here.
function(detent_table NAME FOLDER HEADER ENTRY PREFIX ROW)
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/detent/${FOLDER}/*.cpp)
  list(SORT files)
  set(declarations "")
  set(rows "")
  foreach(file ${files})
    get_filename_component(entry ${file} NAME_WE)
    string(APPEND declarations "extern const ${ENTRY} ${PREFIX}_${entry};\n")
    string(APPEND rows "      {\"${entry}\", &${PREFIX}_${entry}},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${NAME}_table.cpp CONTENT
"#include \"detent/@HEADER@\"
namespace detent {
@declarations@
const std::vector<@ROW@>& all_@NAME@() {
  static const std::vector<@ROW@> table = {
@rows@  };
  return table;
}
}  // namespace detent
" @ONLY)
endfunction()
