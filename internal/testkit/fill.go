package testkit

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"recarga/topup"
)

// Fill sets every exported field of what it points to, and of all that is in it, to a value that no other field has:
// a text names its field. So a test finds out what becomes of each, also of those that are added later.
func Fill(to any) { fill(reflect.ValueOf(to).Elem(), "") }

func fill(v reflect.Value, path string) {
	unique := int64(1000 + len(path))
	for _, c := range path {
		unique = unique*31%1_000_003 + int64(c)
	}
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(unique*1000, 0).UTC()
		return
	case *topup.Phone:
		*x, _ = topup.ParsePhone("5537686660")
		return
	case *topup.State:
		*x = topup.StateFailed
		return
	case **json.Number:
		n := json.Number(fmt.Sprint(unique))
		*x = &n
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(v.Field(i), path+"/"+f.Name)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), path)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"key": "value of " + path}))
	case reflect.String:
		v.SetString("text of " + path)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(unique % 256))
	default:
		v.SetInt(unique)
	}
}
